/**
 * Adds to package-lock.json the platform packages of the linters that a partial npm mirror leaves out.
 *
 * npm writes an optional package into the lock only if the registry in use has it, but `npm ci` wants all
 * of them named. Run after a change of dependencies made with such a mirror: node scripts/completeLock.mjs
 */

import { readFileSync, writeFileSync } from 'node:fs';

const OWNERS = ['oxlint', 'oxlint-tsgolint'];

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
for (const owner of OWNERS) {
  const optional = lock.packages[`node_modules/${owner}`].optionalDependencies ?? {};
  for (const [name, version] of Object.entries(optional)) {
    lock.packages[`node_modules/${name}`] ??= entryOf(name, version);
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).toSorted(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync('package-lock.json', `${JSON.stringify(lock, null, 2)}\n`);

/** "@oxlint/binding-linux-x64-musl" → its place in the lock. */
function entryOf(name, version) {
  const [os, cpu, libc = ''] = name.split('/')[1].replace('binding-', '').split('-');
  const entry = { version, cpu: [cpu], dev: true, optional: true, os: [os] };
  if (libc.startsWith('musl')) entry.libc = ['musl'];
  if (libc.startsWith('gnu')) entry.libc = ['glibc'];
  return entry;
}
