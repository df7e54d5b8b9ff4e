import { expect, it } from 'vitest';
import { pack, unpack } from '../../src/protocol/pack.ts';

it('a message with a thousand arrays becomes one with one, and comes back equal', () => {
  const latents = Array.from({ length: 1000 }, (_, i) => ({
    index: i,
    name: `latent ${i}`,
    vector: { shape: [i % 7], data: Float32Array.from({ length: i % 7 }, (_unused, j) => i + j / 8) },
  }));
  const message = { t: 'q', i: 3, a: [{ latents, canRun: true, none: null, missing: undefined }] };
  const packed = pack(message);
  expect(JSON.stringify(packed.message)).not.toContain('"data":{"0"');
  expect(unpack(structuredClone(packed))).toEqual(message);
});

it('what is packed stays as it was, and what holds no array is not copied', () => {
  const plain = { text: 'no array' };
  const vector = Float32Array.of(1, 2);
  const message = { plain, latents: [{ vector }] };
  const packed = pack(message);
  expect(message.latents[0]!.vector).toBe(vector);
  expect((packed.message as typeof message).plain).toBe(plain);
  expect(unpack(structuredClone(packed))).toEqual(message);
});

it('bytes stay where they are', () => {
  const message = { files: [{ name: 'a.png', bytes: new Uint8Array([1, 2, 3]) }] };
  expect(unpack(pack(message))).toEqual(message);
});

it("a Buffer becomes plain bytes, as VS Code's messages are JSON", () => {
  const { message } = pack({ bytes: Buffer.from([1, 2, 3]) });
  const { bytes } = message as { bytes: Uint8Array };
  expect(bytes.constructor).toBe(Uint8Array);
  expect([...bytes]).toEqual([1, 2, 3]);
});

it('plain values are left alone', () => {
  expect(unpack(pack('text'))).toBe('text');
  expect(unpack(pack(undefined))).toBeUndefined();
});
