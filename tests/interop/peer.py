'''A Python peer that a test commands by JSON lines on stdin, and that prints JSON lines of what it sees.

Commands, each answered by a line with "did" (and the command's "id", if it has one) or "error":
  {"do": "send", "signal": S, "sender": N, "args": {}}
  {"do": "call", "signal": S, "sender": N, "args": {}, "timeout": 5}         answer: {} on a timeout
  {"do": "waiter", "signal": S, "sender": N, "args": {}, "for": 2, "count": 9}  stops after `count` answers
  {"do": "queue_send", "queue": Q, "message": {}, "options": {}}             options: topic, exchange, properties
  {"do": "queue_length", "queue": Q}
  {"do": "publish", "channel": C, "body": "…"}                               as it is
  {"do": "stop"}                                                             so does the end of stdin
Lines of what it sees: {"saw": signal, …}, {"answered": signal, …}, {"consumed": queue, …}; the last with "amqp": what came
with the message, on RabbitMQ.
'''
import asyncio
import contextlib
import json
import sys
import threading

import common

OPTIONS = common.options(
    __doc__.splitlines()[0],
    (('--name',), {'default': 'PyAgent', 'help': 'name of the agent; answers stand under <name>.<signal>'}),
    (('--listen',), {'action': 'append', 'default': [], 'metavar': 'SIGNAL', 'help': 'print these signals'}),
    (('--answer',), {'action': 'append', 'default': [], 'metavar': 'SIGNAL=HOW', 'help':
        'answer these: value:JSON, echo (the arguments as JSON text), first (the first argument), '
        'unicode, big (2**64 - 1), bigger (2**70), raise, sleep:SECONDS (then 1)'}),
    (('--consume',), {'action': 'append', 'default': [], 'metavar': 'QUEUE', 'help': 'consume these queues'}),
    (('--fail-first',), {'type': int, 'default': 0, 'metavar': 'N', 'help': 'fail the first N messages'}),
)

from microagent import MicroAgent, Queue, Signal, consumer, receiver  # noqa: E402 the declarations come first


async def answer(how, args):
    kind, _, rest = how.partition(':')
    if kind == 'sleep':
        await asyncio.sleep(float(rest))
        return 1
    return {
        'value': lambda: json.loads(rest),
        'echo': lambda: json.dumps(args, ensure_ascii=False),
        'first': lambda: next(iter(args.values()), None),
        'unicode': lambda: 'Zoë ☂ 🐜',
        'big': lambda: 2 ** 64 - 1,
        'bigger': lambda: 2 ** 70,
        'raise': lambda: 1 // 0,
    }[kind]()


def listener(name):
    async def listen(self, signal, sender, **args):
        common.emit(saw=name, sender=sender, args=args)
    return listen


def answerer(name, how):
    async def reply(self, signal, sender, **args):
        common.emit(answered=name, sender=sender, args=args)
        return await answer(how, args)
    return reply


def envelope(amqp):
    if amqp is None:
        return {}
    delivery, properties = amqp.delivery, amqp.header.properties
    known = {name: value for name, value in properties if value is not None}
    return {'amqp': {
        'exchange': delivery.exchange, 'routing_key': delivery.routing_key, 'redelivered': delivery.redelivered,
        'body': amqp.body.decode(errors='backslashreplace'), 'properties': json.loads(json.dumps(known, default=str))}}


def taker(name):
    left = OPTIONS.fail_first

    async def take(self, amqp=None, **message):
        nonlocal left
        failed, left = left > 0, max(left - 1, 0)
        common.emit(consumed=name, message=message, failed=failed, **envelope(amqp))
        if failed:
            raise RuntimeError('told to fail')
    return take


def agent_class(name):
    ''' An agent whose methods are named as the command line says: microagent finds them by qualified name. '''
    methods = {}

    def add(method, function, decorate):
        function.__name__ = method
        function.__qualname__ = f'{name}.{method}'
        function.__module__ = __name__
        methods[method] = decorate(function)

    for signal in OPTIONS.listen:
        add(f'listen_{signal}', listener(signal), receiver(Signal.get(signal)))
    for entry in OPTIONS.answer:
        signal, _, how = entry.partition('=')
        add(signal, answerer(signal, how), receiver(Signal.get(signal)))
    for queue in OPTIONS.consume:
        add(f'take_{queue}', taker(queue), consumer(Queue.get(queue)))
    return type(name, (MicroAgent,), {**methods, '__module__': __name__, '__qualname__': name})


class Commands:
    def __init__(self, peer):
        self.peer = peer
        self.tasks = set()

    def take(self, line):
        # A task for each: microagent's timer of a call cancels the task that made it, even after the answer.
        task = asyncio.get_running_loop().create_task(self.run(line))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def run(self, line):
        try:
            command = json.loads(line)
            done = await getattr(self, f'do_{command["do"]}')(command)
        except Exception as error:
            common.emit(error=repr(error), line=line)
            return
        if 'id' in command:
            done['id'] = command['id']
        common.emit(did=command['do'], **done)

    def signal(self, command):
        return getattr(self.peer.bus, command['signal'])

    async def do_send(self, command):
        await self.signal(command).send(command['sender'], **command.get('args', {}))
        return {}

    async def do_call(self, command):
        call = self.signal(command).call(
            command['sender'], timeout=command.get('timeout', 5), **command.get('args', {}))
        return {'answer': await call}

    async def do_waiter(self, command):
        answers = []
        waiter = self.signal(command).waiter(
            command['sender'], timeout=command.get('for', 2), **command.get('args', {}))
        async with waiter as queue:
            async for found in queue:
                answers.append(found)
                if len(answers) == command.get('count'):
                    break
        return {'answers': answers}

    async def do_queue_send(self, command):
        await getattr(self.peer.broker, command['queue']).send(command['message'], **command.get('options', {}))
        return {}

    async def do_queue_length(self, command):
        return {'length': await getattr(self.peer.broker, command['queue']).length()}

    async def do_publish(self, command):
        return {'receivers': await self.peer.bus.connection.publish(command['channel'], command['body'])}

    async def do_stop(self, command):
        self.peer.stop()
        return {}


async def main():
    peer = common.Peer(OPTIONS)
    commands = Commands(peer)
    loop = asyncio.get_running_loop()

    def read():
        # A daemon thread: the loop ends first on a signal.
        with contextlib.suppress(RuntimeError):
            for line in sys.stdin:
                loop.call_soon_threadsafe(commands.take, line)
            loop.call_soon_threadsafe(peer.stop)

    threading.Thread(target=read, daemon=True).start()
    await peer.run(agent_class(OPTIONS.name))


if __name__ == '__main__':
    asyncio.run(main())
