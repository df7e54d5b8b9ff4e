import { describe, expect, it } from 'vitest';
import { checkRevision, hubEndpoint, parseRepository, requireOnline } from '../../src/hub/address.ts';
import { KNOWN_CHECKPOINTS } from '../../src/hub/known.ts';

const HUB = 'https://huggingface.co';

describe('the address of the hub', () => {
  it("is Hugging Face's own, or a mirror's", () => {
    expect(hubEndpoint({})).toBe(HUB);
    expect(hubEndpoint({ HF_ENDPOINT: ' ' })).toBe(HUB);
    expect(hubEndpoint({ HF_ENDPOINT: 'https://mirror.example/hf/' })).toBe('https://mirror.example/hf');
  });

  it.each(['mirror.example', 'file:///etc', 'https://name:password@mirror.example', 'https://x/?a=b'])(
    'is not %s',
    (address) => {
      expect(() => hubEndpoint({ HF_ENDPOINT: address })).toThrow('HF_ENDPOINT');
    },
  );
});

it('no server is asked where HF_HUB_OFFLINE says so', () => {
  for (const value of ['1', 'true', 'YES'])
    expect(() => requireOnline({ HF_HUB_OFFLINE: value })).toThrow('HF_HUB_OFFLINE');
  for (const value of ['0', '', undefined])
    expect(() => requireOnline({ HF_HUB_OFFLINE: value })).not.toThrow();
});

describe('the name of a model', () => {
  it('is owner and name, or the address of its page', () => {
    const name = 'Qwen/Qwen2.5-VL-3B-Instruct';
    for (const text of [name, ` ${name} `, `${HUB}/${name}`, `${HUB}/${name}/`, `${HUB}/${name}/tree/main`])
      expect(parseRepository(text, HUB)).toBe(name);
    expect(parseRepository(`https://mirror.example/${name}`, 'https://mirror.example')).toBe(name);
  });

  it.each([
    '',
    'gpt2',
    'a/b/c',
    '../b',
    'a/..',
    'a/b?x',
    'a b/c',
    '/a/b',
    'a--b/c',
    'https://elsewhere.example/a/b',
  ])('is not %j', (text) => {
    expect(() => parseRepository(text, HUB)).toThrow('This is no name of a model on the hub');
  });

  it('is sound for every known checkpoint, each named once', () => {
    const names = KNOWN_CHECKPOINTS.map(({ repository }) => parseRepository(repository, HUB));
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('a revision', () => {
  it('may be a branch, a tag, a commit or a proposed change', () => {
    for (const name of ['main', 'v1.0', 'refs/pr/1', '0'.repeat(40)]) expect(checkRevision(name)).toBe(name);
  });

  it.each(['', '../x', 'a/../b', '/main', 'a//b', 'a b', 'main/'])('is not %j', (name) => {
    expect(() => checkRevision(name)).toThrow('This is no name of a revision');
  });
});
