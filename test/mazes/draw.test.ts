import { describe, expect, it } from 'vitest';
import { GOAL, HOLE, SAFE, START, type GridMap } from '../../src/dataset/scoring.ts';
import { resizeBicubic } from '../../src/checkpoint/pixels/resize.ts';
import { hashOf, randomFor } from '../../src/base/random.ts';
import { colourDistance, hsl, type Rgb } from '../../src/mazes/colour.ts';
import { GOAL_WEIGHTS } from '../../src/mazes/drawGoals.ts';
import { GROUND_WEIGHTS } from '../../src/mazes/drawGround.ts';
import { HOLE_KINDS } from '../../src/mazes/drawHoles.ts';
import { createArtist } from '../../src/mazes/drawMap.ts';
import { PLAYER_WEIGHTS } from '../../src/mazes/drawPlayers.ts';
import { drawGrid, type Position } from '../../src/mazes/grid.ts';
import { compressJpeg } from '../../src/mazes/jpeg.ts';
import { blur, toPng, type Picture } from '../../src/mazes/picture.ts';
import { galleryItem, MAP_DEFAULTS } from '../../src/mazes/stream.ts';
import { MAX_CELL, MIN_CELL, styleOf, type Style } from '../../src/mazes/style.ts';

/** The picture's PNG file as text, which is quicker to compare than arrays are. */
function bytesOf(picture: Picture): string {
  return Buffer.from(toPng(picture)).toString('base64');
}

const STYLES = Array.from({ length: 400 }, (_, i) => styleOf(hashOf('test', i)));

describe('styles', () => {
  it('come in every ground, hole, goal and player, pixel art and smooth, with and without lines and effects', () => {
    const kinds = (value: (style: Style) => unknown): number => new Set(STYLES.map(value)).size;
    expect(kinds(({ ground }) => ground.kind)).toBe(Object.keys(GROUND_WEIGHTS).length);
    expect(kinds(({ hole }) => hole.kind)).toBe(HOLE_KINDS.length);
    expect(kinds(({ goal }) => goal.kind)).toBe(Object.keys(GOAL_WEIGHTS).length);
    expect(kinds(({ player }) => player.kind)).toBe(Object.keys(PLAYER_WEIGHTS).length);
    expect(HOLE_KINDS.length).toBeGreaterThanOrEqual(8);
    expect(Object.keys(GOAL_WEIGHTS).length).toBeGreaterThanOrEqual(10);
    expect(Object.keys(PLAYER_WEIGHTS).length).toBeGreaterThanOrEqual(9);
    for (const field of ['pixelArt', 'gridLines', 'outline', 'blur', 'jpeg', 'light'] as const)
      expect(kinds((style) => style[field] === undefined)).toBe(2);
    expect(Math.min(...STYLES.map(({ cell }) => cell))).toBe(MIN_CELL);
    expect(Math.max(...STYLES.map(({ cell }) => cell))).toBe(MAX_CELL);
  });

  it('have gifts and elves most often', () => {
    const most = (all: string[]): string | undefined => {
      const times = (kind: string): number => all.filter((other) => other === kind).length;
      return all.toSorted((one, other) => times(other) - times(one))[0];
    };
    expect(most(STYLES.map(({ goal }) => goal.kind))).toBe('gift');
    expect(most(STYLES.map(({ player }) => player.kind))).toBe('elf');
  });

  it('are plain data: what JSON keeps draws the same picture', () => {
    const map = drawGrid(randomFor('json'), 4);
    for (const style of STYLES.slice(0, 10)) {
      const copy = JSON.parse(JSON.stringify(style)) as Style;
      expect(bytesOf(createArtist(copy).draw(map))).toBe(bytesOf(createArtist(style).draw(map)));
    }
  });
});

/** Every kind of cell once, and the stool once the player has left. */
const MAP: GridMap = [
  [START, HOLE, SAFE],
  [SAFE, GOAL, HOLE],
  [SAFE, SAFE, HOLE],
];

/** Side of a cell of a 6×6 map in the picture of 168 pixels that the small model sees. */
const SEEN = 28;

interface Cells {
  /** Colours of the pixels of a cell, as the model sees them. */
  of: (position: Position) => Rgb[];
}

function seen({ width, height, rgb }: Picture): Cells {
  const side = 3 * SEEN;
  const small = resizeBicubic(rgb, width, height, side, side);
  return {
    of: ([row, column]) =>
      Array.from({ length: SEEN * SEEN }, (_, i) => {
        const at = ((row * SEEN + Math.floor(i / SEEN)) * side + column * SEEN + (i % SEEN)) * 3;
        return [small[at]!, small[at + 1]!, small[at + 2]!] as const;
      }),
  };
}

/** Share of pixels that differ clearly: 20 is ten times what is just visible. */
function differing(a: Rgb[], b: Rgb[]): number {
  return a.filter((colour, i) => colourDistance(colour, b[i]!) > 20).length / a.length;
}

describe('every style is legible at 28 pixels a cell', () => {
  const shares = STYLES.map((style) => {
    const artist = createArtist(style);
    const [whole, bare, moved] = [
      seen(artist.draw(MAP)),
      seen(artist.drawGroundOnly(3)),
      seen(artist.draw(MAP, [2, 0])),
    ];
    const fromGround = (position: Position): number => differing(whole.of(position), bare.of(position));
    return {
      style,
      hole: fromGround([0, 1]),
      goal: fromGround([1, 1]),
      player: fromGround([0, 0]),
      safe: fromGround([2, 0]),
      stool: differing(moved.of([0, 0]), bare.of([0, 0])),
      left: differing(moved.of([0, 0]), whole.of([0, 0])),
      holeOrGoal: differing(whole.of([0, 1]), whole.of([1, 1])),
      playerOrGoal: differing(whole.of([0, 0]), whole.of([1, 1])),
    };
  });

  /** What the least legible of them shows, so that a failure says which style to look at. */
  function least(key: Exclude<keyof (typeof shares)[number], 'style'>): { share: number; style: string } {
    const [worst] = shares.toSorted((a, b) => a[key] - b[key]);
    return { share: worst![key], style: JSON.stringify(worst!.style) };
  }

  it.each([
    ['hole', 0.12],
    ['goal', 0.04],
    ['player', 0.015],
    ['stool', 0.03],
    ['left', 0.015],
    ['holeOrGoal', 0.13],
    ['playerOrGoal', 0.05],
  ] as const)('%s: at least %f of the pixels differ clearly', (key, share) => {
    const worst = least(key);
    expect(worst.share, worst.style).toBeGreaterThanOrEqual(share);
  });

  it('and safe cells look like the ground', () => {
    expect(Math.max(...shares.map(({ safe }) => safe))).toBeLessThan(0.02);
  });
});

describe('pictures', () => {
  it('are the same bytes for the same style and map, and the size that the style says', () => {
    for (const style of STYLES.slice(0, 20)) {
      const map = drawGrid(randomFor(style.seed), 5);
      const picture = createArtist(style).draw(map);
      expect([picture.width, picture.height]).toEqual([5 * style.cell, 5 * style.cell]);
      expect(bytesOf(picture)).toBe(bytesOf(createArtist(style).draw(map)));
    }
  });

  it('have their bytes kept: a change of the drawing is a new version of the generator', () => {
    const map = drawGrid(randomFor('kept'), 4);
    const bytes = STYLES.slice(0, 40).map((style) => hashOf(createArtist(style).draw(map).rgb.join()));
    expect(hashOf(bytes.join())).toMatchInlineSnapshot(`1301047220`);
  });
});

describe('a gallery', () => {
  const side = 4;
  const everywhere = (kind: number): GridMap => Array.from({ length: side }, () => Array(side).fill(kind));

  it('shows another figure in every cell, on the ground and with the holes of its style', () => {
    for (const style of STYLES.slice(0, 10)) {
      const plain: Style = { ...style, ground: { ...style.ground, kind: 'plain', varied: false } };
      const { light: _light, blur: _blur, jpeg: _jpeg, gridLines: _lines, ...clean } = plain;
      const artist = createArtist(clean);
      const tiles = (kind: number): number => {
        const { rgb, width } = artist.drawGallery(everywhere(kind));
        const rows = (row: number, column: number): string =>
          Array.from({ length: style.cell }, (_, y) => {
            const from = ((row * style.cell + y) * width + column * style.cell) * 3;
            return rgb.subarray(from, from + 3 * style.cell).join();
          }).join();
        return new Set(Array.from({ length: side * side }, (_, i) => rows(i >> 2, i & 3))).size;
      };
      expect([GOAL, START].map(tiles)).toEqual([side * side, side * side]);
      expect(bytesOf(artist.drawGallery(everywhere(SAFE)))).toBe(bytesOf(artist.drawGroundOnly(side)));
    }
  });

  it('is not like another, and has goals and players about equally often', () => {
    const items = Array.from({ length: 60 }, (_, i) => galleryItem(MAP_DEFAULTS, i));
    expect(new Set(items.map(({ picture }) => bytesOf(picture))).size).toBe(items.length);
    const count = (kind: number): number =>
      items.flatMap(({ map }) => map.flat()).filter((cell) => cell === kind).length;
    expect(Math.abs(count(GOAL) - count(START))).toBeLessThan(80);
    expect(count(GOAL)).toBeGreaterThan(200);
  });
});

describe('a helper picture', () => {
  it('differs from the map only where the player was and where it is', () => {
    for (const style of STYLES.filter(
      ({ jpeg, blur: soft }) => jpeg === undefined && soft === undefined,
    ).slice(0, 40)) {
      const artist = createArtist(style);
      const [before, after] = [artist.draw(MAP), artist.draw(MAP, [1, 0])];
      const changed = new Set<string>();
      before.rgb.forEach((value, i) => {
        const pixel = Math.floor(i / 3);
        const [row, column] = [Math.floor(pixel / before.width), pixel % before.width];
        if (value !== after.rgb[i])
          changed.add(`${Math.floor(row / style.cell)},${Math.floor(column / style.cell)}`);
      });
      expect([...changed].toSorted()).toEqual(['0,0', '1,0']);
    }
  });
});

describe('effects', () => {
  function stripes(side: number): Picture {
    const rgb = Uint8Array.from({ length: side * side * 3 }, (_, i) =>
      Math.floor(i / 12) % 2 === 0 ? 230 : 20,
    );
    return { width: side, height: side, rgb };
  }

  it('JPEG at quality 100 changes a smooth picture by at most 3, at 40 more than at 90', () => {
    const smooth: Picture = {
      width: 37,
      height: 37,
      rgb: Uint8Array.from({ length: 37 * 37 * 3 }, (_, i) => 60 + 3 * (Math.floor(i / 3) % 37)),
    };
    expect(Math.max(...changes(smooth, 100))).toBeLessThanOrEqual(3);
    const sum = (quality: number): number => changes(stripes(37), quality).reduce((a, b) => a + b);
    expect(sum(40)).toBeGreaterThan(sum(90));
  });

  function changes(picture: Picture, quality: number): number[] {
    const copy = { ...picture, rgb: picture.rgb.slice() };
    compressJpeg(copy, quality);
    return Array.from(copy.rgb, (value, i) => Math.abs(value - picture.rgb[i]!));
  }

  it('blur keeps an even picture and the mean of any other', () => {
    const even: Picture = { width: 9, height: 9, rgb: new Uint8Array(243).fill(77) };
    blur(even, 0.8);
    expect(new Set(even.rgb)).toEqual(new Set([77]));
    const picture = stripes(32);
    const mean = (): number => picture.rgb.reduce((sum, value) => sum + value, 0) / picture.rgb.length;
    const before = mean();
    blur(picture, 0.8);
    expect(Math.abs(mean() - before)).toBeLessThan(1);
    expect(new Set(picture.rgb).size).toBeGreaterThan(2);
  });
});

describe('colours', () => {
  it.each([
    [[0, 0, 0], [255, 255, 255], 100],
    [[255, 0, 0], [255, 0, 0], 0],
    // CIE76 says 28 of these two, which no one can tell apart on a screen.
    [[20, 5, 30], [5, 25, 10], 10.7],
  ] as const)('%j and %j are %f apart', (a, b, distance) => {
    expect(colourDistance(a, b)).toBeCloseTo(distance, 0);
  });

  it('are read from hue, saturation and lightness', () => {
    expect([hsl(0, 1, 0.5), hsl(120, 1, 0.5), hsl(240, 1, 0.25), hsl(50, 0, 0.5)]).toEqual([
      [255, 0, 0],
      [0, 255, 0],
      [0, 0, 128],
      [128, 128, 128],
    ]);
  });
});
