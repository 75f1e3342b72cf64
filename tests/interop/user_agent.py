'''The demo's user agent in Python: mails a welcome and a report, asks for counts, sends the signals.'''
import asyncio

import common

OPTIONS = common.options(
    __doc__,
    (('--rate',), {'type': float, 'default': 5, 'help': 'user_created and user_comment a second; 0 = none'}),
    (('--users',), {'type': int, 'default': 10, 'help': 'user ids go from 1 to this, round and round'}),
)

from microagent import MicroAgent, Signal, cron, on, periodic, receiver  # noqa: E402 the declarations come first

PERIOD = 1 / OPTIONS.rate if OPTIONS.rate > 0 else 3600
FIRST = 0 if OPTIONS.rate > 0 else 3600


class UserAgent(MicroAgent):

    @on('pre_start')
    def setup(self):
        self.sent = 0

    @periodic(period=PERIOD, timeout=10, start_after=FIRST)
    async def sender(self):
        self.sent += 1
        user_id = (self.sent - 1) % OPTIONS.users + 1
        await self.bus.user_created.send('user_agent', user_id=user_id)
        await self.bus.user_comment.send('user_agent', user_id=user_id)
        common.emit(did='sent', user_id=user_id, count=self.sent)

    @cron('* * * * *', timeout=10)
    async def report(self):
        await self.broker.mailer.send({'text': 'Report', 'email': 'admin@example.org'})
        common.emit(did='report')

    @receiver(Signal.user_created)
    async def welcome(self, user_id, sender, **kwargs):
        common.emit(saw='user_created', sender=sender, args={'user_id': user_id})
        await self.broker.mailer.send({'text': f'Welcome user {user_id}', 'email': f'user{user_id}@example.org'})

    @receiver(Signal.user_comment)
    async def count(self, user_id, sender, **kwargs):
        common.emit(saw='user_comment', sender=sender, args={'user_id': user_id})
        # A task of its own: microagent's timer of a call cancels the task that made it, even after the answer.
        answer = await asyncio.create_task(
            self.bus.rpc_comments_count.call('user_agent', user_id=user_id, timeout=5))
        common.emit(did='call', user_id=user_id, answer=answer)


if __name__ == '__main__':
    common.run(OPTIONS, UserAgent)
