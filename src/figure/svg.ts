/** A figure as SVG. What is text in it stays text, whatever a file's name or a model has written. */

import { toBase64 } from '../base/base64.ts';
import { unreachable } from '../base/errors.ts';
import { plainText } from '../base/plainText.ts';
import type { Rgb } from '../heatmap/palettes.ts';
import type { Figure, Point, Shape } from './figure.ts';

/** Of all text in a figure; the same on a canvas. */
export const FONT = 'Helvetica, Arial, sans-serif';
/** Letters of one text: more is no caption. */
const MOST_LETTERS = 1000;

/** The same figure gives the same text. */
export function svgOf({ width, height, shapes }: Figure): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...shapes.map(elementOf),
    '</svg>',
    '',
  ].join('\n');
}

function elementOf(shape: Shape): string {
  switch (shape.shape) {
    case 'rect': {
      const alpha = shape.alpha === undefined ? '' : ` fill-opacity="${round(shape.alpha)}"`;
      return `<rect ${boxOf(shape)} fill="${cssOf(shape.colour)}"${alpha} shape-rendering="crispEdges"/>`;
    }
    case 'line': {
      const element = shape.closed === true ? 'polygon' : 'polyline';
      const dashes = shape.dashes === undefined ? '' : ` stroke-dasharray="${shape.dashes.join(' ')}"`;
      return `<${element} points="${pointsOf(shape)}" fill="none" stroke="${cssOf(shape.colour)}" stroke-width="${round(shape.width)}"${dashes}/>`;
    }
    case 'area':
      return `<polygon points="${pointsOf(shape)}" fill="${cssOf(shape.colour)}"/>`;
    case 'dot':
      return `<circle cx="${round(shape.x)}" cy="${round(shape.y)}" r="${round(shape.radius)}" fill="${cssOf(shape.colour)}"/>`;
    case 'picture':
      return `<image ${boxOf(shape)} preserveAspectRatio="none" href="data:image/png;base64,${toBase64(shape.png)}"/>`;
    case 'text':
      return (
        `<text x="${round(shape.x)}" y="${round(shape.y)}" font-family="${FONT}" font-size="${shape.size}"` +
        ` text-anchor="${shape.anchor ?? 'start'}" fill="${cssOf(shape.colour ?? [0, 0, 0])}"` +
        `${shape.turned === true ? ` transform="rotate(-90 ${round(shape.x)} ${round(shape.y)})"` : ''}>${escaped(shape.text)}</text>`
      );
    default:
      return unreachable(shape);
  }
}

function pointsOf({ points }: { points: readonly Point[] }): string {
  return points.map(({ x, y }) => `${round(x)},${round(y)}`).join(' ');
}

function boxOf({ x, y, width, height }: { x: number; y: number; width: number; height: number }): string {
  return `x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}"`;
}

/** "rgb(1,2,3)" */
export function cssOf(colour: Rgb): string {
  return `rgb(${colour.join(',')})`;
}

/** Three digits after the point are less than what can be seen. */
function round(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}

/** Characters that XML forbids are taken out with those that steer. */
function escaped(text: string): string {
  return plainText(text, MOST_LETTERS)
    .replaceAll(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
