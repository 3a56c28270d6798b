// The numbers behind a map, and what they mean in words.

import { ask } from "./server.js";

const TYPES = { uint8: Uint8Array, uint16: Uint16Array };
const DIRECTIONS = [
  ["right", [1, 0, 0]], ["left", [-1, 0, 0]], ["up", [0, 1, 0]], ["down", [0, -1, 0]], ["towards the camera", [0, 0, 1]],
];

export class Values {
  /** @param facts the facts of a map, @param stored its numbers */
  constructor(facts, stored) {
    this.facts = facts;
    this.grid = facts.values;
    this.stored = stored;
    this.unknown = 2 ** (8 * stored.BYTES_PER_ELEMENT) - 1;
  }

  static async load(address, facts) {
    const bytes = await (await ask(address)).arrayBuffer();
    return new Values(facts, new TYPES[facts.values.type](bytes));
  }

  /** The value of one pixel of the grid, one number a channel; NaN where there is none. */
  pixel(index) {
    const { channels, offset, scale } = this.grid;
    const numbers = this.stored.subarray(index * channels, (index + 1) * channels);
    return Array.from(numbers, (number) => (number === this.unknown ? NaN : offset + scale * number));
  }

  /** The value at a place, x and y from 0 to 1. */
  at(x, y) {
    const { rows, columns } = this.grid;
    const cell = (share, count) => Math.min(count - 1, Math.floor(share * count));
    return this.pixel(cell(y, rows) * columns + cell(x, columns));
  }

  /** What is said of a place, with details where there are some, and the colour of its class. */
  say(x, y) {
    const value = this.at(x, y);
    const { kind, unit, classes, colours } = this.facts;
    if (!value.every(Number.isFinite)) return { words: "no value" };
    if (kind === "classes") return { words: classes[value[0]], colour: colours[value[0]] };
    if (kind === "binary") return { words: `${classes[1]} ${Math.round(100 * value[0])} %` };
    const numbers = value.map((number) => number.toFixed(2)).join(", ").replaceAll("-", "−");
    if (kind === "direction" && value.length === 3) return { words: nearest(value), detail: `(${numbers})` };
    return { words: value.length > 1 ? `(${numbers})` : `${numbers} ${unit}`.trim() };
  }
}

const nearest = (vector) => {
  const along = ([, axis]) => axis.reduce((sum, part, index) => sum + part * vector[index], 0);
  return DIRECTIONS.reduce((best, next) => (along(next) > along(best) ? next : best))[0];
};
