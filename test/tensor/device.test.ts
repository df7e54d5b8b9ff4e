import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { DEVICE_CHOICES, DEVICE_FACTS, DEVICES, isOffered } from '../../src/tensor/device.ts';
import { repository } from '../fixtures/paths.ts';

it("the setting's values are those of the table, each with its description", () => {
  const manifest = JSON.parse(readFileSync(`${repository}/package.json`, 'utf8')) as {
    contributes: { configuration: { properties: Record<string, Record<string, string[]>> }[] };
  };
  const setting = manifest.contributes.configuration
    .map(({ properties }) => properties['ilvr.device'])
    .find((found) => found !== undefined)!;
  expect([...setting['enum']!].sort()).toEqual([...DEVICE_CHOICES].sort());
  expect(setting['markdownEnumDescriptions']).toEqual(
    setting['enum']!.map((name) => `%setting.device.${name}%`),
  );
});

it('auto tries WebGPU first and the CPU last', () => {
  expect([DEVICES[0], DEVICES.at(-1)]).toEqual(['webgpu', 'cpu']);
});

it('on WebGPU nothing falls back to the CPU', () => {
  expect(DEVICE_FACTS.webgpu.fallback).toBe(false);
});

it.each([
  ['linux-x64', ['webgpu', 'cuda', 'cpu']],
  ['linux-arm64', ['cpu']],
  ['win32-x64', ['webgpu', 'dml', 'cpu']],
  ['darwin-arm64', ['webgpu', 'coreml', 'cpu']],
])('%s has what the runtime ships for it', (system, expected) => {
  expect(DEVICES.filter((device) => isOffered(device, system))).toEqual(expected);
});
