'''The demo's email agent in Python: delivers the mails of the queue `mailer` into an outbox.'''
import json
import os

import common

OPTIONS = common.options(
    __doc__,
    (('--outbox',), {'help': 'file that gets one JSON line for each mail'}),
)

from microagent import MicroAgent, Queue, consumer, on  # noqa: E402 the declarations come first


class EmailAgent(MicroAgent):

    @on('pre_start')
    def setup(self):
        self.outbox = None
        if OPTIONS.outbox:
            self.outbox = os.open(OPTIONS.outbox, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o644)

    @consumer(Queue.mailer, timeout=30)
    async def deliver(self, **mail):
        if self.outbox is not None:
            # Python's queue has neither ids nor attempts.
            line = {'text': mail.get('text'), 'email': mail.get('email'), 'message_id': None, 'attempt': 1}
            os.write(self.outbox, (json.dumps(line, ensure_ascii=False) + '\n').encode())
        common.emit(consumed='mailer', message=mail)


if __name__ == '__main__':
    common.run(OPTIONS, EmailAgent)
