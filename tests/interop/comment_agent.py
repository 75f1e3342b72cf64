'''The demo's comment agent in Python: counts comments, answers with counts, mails each comment.'''
import common

OPTIONS = common.options(__doc__)

from microagent import MicroAgent, Signal, on, receiver  # noqa: E402 the declarations come first


class CommentAgent(MicroAgent):

    @on('pre_start')
    def setup(self):
        self.counts = {}

    @receiver(Signal.user_comment)
    async def comment(self, user_id, sender, **kwargs):
        self.counts[user_id] = self.counts.get(user_id, 0) + 1
        common.emit(saw='user_comment', sender=sender, args={'user_id': user_id}, count=self.counts[user_id])
        await self.broker.mailer.send({'text': 'Comment', 'email': f'user{user_id}@example.org'})

    @receiver(Signal.rpc_comments_count)
    async def rpc_comments_count(self, user_id, sender, **kwargs):
        count = self.counts.get(user_id, 0)
        common.emit(answered='rpc_comments_count', sender=sender, args={'user_id': user_id}, value=count)
        return count


if __name__ == '__main__':
    common.run(OPTIONS, CommentAgent)
