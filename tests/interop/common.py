'''What the Python peers share: options, connections, JSON lines, and a true `ready`.

A module that imports this has the declarations loaded: `common.options` must run before agents are declared.
'''
import argparse
import asyncio
import json
import logging
import pathlib
import signal
import sys
import uuid

from microagent import configure
from microagent.tools.amqp import AMQPBroker
from microagent.tools.redis import RedisBroker, RedisSignalBus
from redis.asyncio import Redis

ROOT = pathlib.Path(__file__).resolve().parents[2]
START = 15  # seconds


def parser(about):
    result = argparse.ArgumentParser(description=about)
    result.add_argument('--dsn', help='redis://… of the bus, and of the broker unless --broker names another')
    result.add_argument('--broker', metavar='URL', help='amqp://… of the broker; without --dsn there is no bus')
    result.add_argument('--prefix', default='PUBSUB', help='prefix of the channels')
    result.add_argument('--signals', default=str(ROOT / 'signals.json'), help='path of the declarations')
    return result


def options(about, *more):
    ''' Parse the command line and load the declarations. `more` are argument tuples of add_argument. '''
    result = parser(about)
    for names, settings in more:
        result.add_argument(*names, **settings)
    found = result.parse_args()
    if not (found.dsn or found.broker):
        result.error('neither --dsn nor --broker')
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format='%(levelname)s %(name)s %(message)s')
    configure(f'file://{found.signals}')
    return found


def emit(**line):
    ''' One JSON line for the test. '''
    print(json.dumps(line, ensure_ascii=False), flush=True)


class Peer:
    ''' Runs agents until SIGTERM, SIGINT or `stop`. '''

    def __init__(self, found):
        self.dsn = found.dsn
        # The name marks this process's connections, so that it can see its own subscriptions in CLIENT LIST.
        self.client = f'peer-{uuid.uuid4().hex}'
        self.bus = self.broker = None
        if found.dsn:
            joint = '&' if '?' in found.dsn else '?'
            named = f'{found.dsn}{joint}client_name={self.client}'
            self.bus = RedisSignalBus(named, prefix=found.prefix)
            self.broker = RedisBroker(named)
        if found.broker:
            self.broker = AMQPBroker(found.broker)
        self.stopped = asyncio.Event()

    async def run(self, *classes):
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        agents = [cls(bus=self.bus, broker=self.broker) for cls in classes]
        for agent in agents:
            # Timers wait until every subscription is live.
            await agent.start(enable_periodic_tasks=False)
        if self.bus:
            await self.live(agents)
        print('ready', flush=True)
        for agent in agents:
            agent.run_periodic_tasks(agent.periodic_tasks, agent.cron_tasks)
        await self.stopped.wait()
        for agent in agents:
            await agent.stop()

    def stop(self):
        self.stopped.set()

    async def live(self, agents):
        ''' Wait until Redis itself lists every subscription and every blocked consumer of this process. '''
        signals = {receiver.signal.name for agent in agents for receiver in agent.receivers}
        # A consumer on RabbitMQ is live when its agent has started.
        on_redis = isinstance(self.broker, RedisBroker)
        queues = {consumer.queue.name for agent in agents for consumer in agent.consumers if on_redis}
        # One connection for each pattern; the answers' pattern is bound by every bus.
        wanted = (len(signals) + 1, len(queues))
        redis = Redis.from_url(self.dsn, decode_responses=True)
        try:
            async with asyncio.timeout(START):
                while await self.connections(redis) != wanted:
                    await asyncio.sleep(0.02)
        finally:
            await redis.aclose()

    async def connections(self, redis):
        mine = [client for client in await redis.client_list() if client['name'] == self.client]
        listening = sum(1 for client in mine if client['psub'] != '0')
        consuming = sum(1 for client in mine if client['cmd'] == 'blpop')
        return listening, consuming


def run(found, *classes):
    ''' Run agents of these classes until a signal ends them. '''
    async def main():
        await Peer(found).run(*classes)
    asyncio.run(main())
