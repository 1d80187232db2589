// A TUF client, tuf-js's, that takes one target from a repository.
//
//	node client.mjs METADATA_URL TARGETS_URL ROOT STATE TARGET OUT
//
// ROOT is the root metadata that a client ships with, read on the first run. What the client learns is
// kept in the folder STATE, from one run to the next. On success TARGET is in
// the file OUT, the versions now trusted are one line of JSON on stdout, and
// the exit status is 0. A refusal is an error on stderr and exit status 1; OUT
// is not written then. It departs from tuf-js's defaults in waiting 10 s for an
// answer instead of 100 and in not asking twice: the server is this machine.
// CLIENT_CLOCK, a time like 2027-01-31T09:00:00Z, stands for the machine's clock.

import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(new URL('../../../.peers/node/package.json', import.meta.url));
const { Updater } = require('tuf-js');

// tuf-js takes no clock, and asks for the time with `new Date()`.
if (process.env.CLIENT_CLOCK) {
  const Machine = Date;
  globalThis.Date = class extends Machine {
    constructor(...args) {
      super(...(args.length ? args : [process.env.CLIENT_CLOCK]));
    }
  };
}

async function main(metadataURL, targetsURL, root, state, target, out) {
  fs.mkdirSync(state, { recursive: true });
  const trusted = (role) => path.join(state, `${role}.json`);
  if (!fs.existsSync(trusted('root'))) {
    fs.copyFileSync(root, trusted('root'));
  }
  const updater = new Updater({
    metadataDir: state,
    metadataBaseUrl: metadataURL,
    targetBaseUrl: targetsURL,
    config: { fetchTimeout: 10_000, fetchRetry: false },
  });
  await updater.refresh();
  const info = await updater.getTargetInfo(target);
  if (!info) {
    throw new Error(`no target is called ${JSON.stringify(target)}`);
  }
  await updater.downloadTarget(info, out);
  // The state folder is what the next run will start from.
  const versions = {};
  for (const role of ['root', 'timestamp', 'snapshot', 'targets']) {
    versions[role] = JSON.parse(fs.readFileSync(trusted(role))).signed.version;
  }
  console.log(JSON.stringify(versions));
}

const args = process.argv.slice(2);
if (args.length !== 6) {
  console.error('usage: client.mjs METADATA_URL TARGETS_URL ROOT STATE TARGET OUT');
  process.exit(2);
}
main(...args).catch((error) => {
  const cause = error.cause ? ` (${error.cause})` : '';
  console.error(`${error.constructor.name}: ${error.message}${cause}`);
  process.exitCode = 1;
});
