/** The engine process: serves the protocol on Node's IPC channel, or, as a probe, tries one device. */

import { join } from 'node:path';
import { messageOf } from '../base/errors.ts';
import { within } from '../process/ending.ts';
import { GPU_LOST_EXIT } from '../process/gpuLost.ts';
import { HALF_ARGUMENT, probedDevice } from '../process/gpuProbe.ts';
import { endWithParent } from '../process/parent.ts';
import type { EngineEvents, EngineMethods } from '../protocol/engine.ts';
import { connect } from '../protocol/rpc.ts';
import { VERSION } from '../base/version.ts';
import type { Device } from '../tensor/device.ts';
import { probeDevice } from './device.ts';
import { EngineServer } from './server.ts';

/** For a client that does not answer when this process is about to end. */
const PATIENCE_MS = 2000;

const probed = probedDevice(process.argv);
if (probed !== undefined) void probe(probed);
else if (process.send === undefined) refuse();
else serve();

function serve(): void {
  const events: EngineEvents = {
    progress: (progress) => void client.progress.asEvent(progress),
    planned: (plan) => void client.planned.asEvent(plan),
    event: (id, event) => void client.event.asEvent(id, event),
    found: (id, result) => void client.found.asEvent(id, result),
    log: (line) => void client.log.asEvent(line),
  };
  const server = new EngineServer(events, {
    version: VERSION,
    packWorker: join(__dirname, 'packWorker.cjs'),
    end: async (error) => {
      process.stderr.write(`${messageOf(error.cause ?? error)}\n`);
      // Answered when all that was sent before has arrived.
      await within(PATIENCE_MS, client.log({ level: 'error', text: error.message }));
      process.exit(GPU_LOST_EXIT);
    },
  });
  const methods: EngineMethods = {
    hello: () => server.hello(),
    load: (request) => server.load(request),
    unload: () => server.unload(),
    reason: (request) => server.reason(request),
    analyse: (request) => server.analyse(request),
    targets: (question) => server.targets(question),
    cancel: (id) => server.cancel(id),
    plan: (request) => server.plan(request),
    devices: () => server.devices(),
    diagnose: () => server.diagnose(),
  };
  const client = connect<EngineEvents, EngineMethods>(methods, {
    // A client that has gone is answered by the disconnect below, not by an error of the pipe.
    post: (message) => process.connected && process.send!(message, undefined, undefined, () => undefined),
    on: (listener) => process.on('message', listener),
  });
  // Ctrl-C in a terminal, or its end, reaches the whole process group; what it means is the client's decision.
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
  // The client has gone: nobody is left to answer.
  process.on('disconnect', () => process.exit(0));
  endWithParent();
}

async function probe(device: Device): Promise<void> {
  endWithParent();
  try {
    process.stdout.write(`${await probeDevice(device, process.argv.includes(HALF_ARGUMENT))}\n`);
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exit(1);
  }
}

function refuse(): void {
  process.stderr.write(
    'This is the engine of ILVR Inspector; the extension and the ilvr command start it.\n',
  );
  process.exit(2);
}
