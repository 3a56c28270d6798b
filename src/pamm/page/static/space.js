// The view in three dimensions: what can be turned, and what is assumed of the camera.

import { Surface } from "./surface.js";

const SIDE = 384;
const FILM = 36;
const USUAL = 68;
const STILL = { yaw: 0, pitch: 0, distance: 1 };
const LIMITS = { yaw: [-1.3, 1.3], pitch: [-0.9, 0.9], distance: [0.15, 3] };
const SWAY = 9000;
const KEYS = {
  ArrowLeft: ["yaw", -0.08], ArrowRight: ["yaw", 0.08], ArrowUp: ["pitch", -0.08], ArrowDown: ["pitch", 0.08],
  "+": ["distance", -0.1], "=": ["distance", -0.1], "-": ["distance", 0.1],
};
const radians = (degrees) => (degrees * Math.PI) / 180;

/** Means over three by three, for values were left out to make the grid smaller, not everywhere alike. */
function smoothed(depths, rows, columns) {
  const means = new Float32Array(depths.length);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) {
      let [sum, count] = [0, 0];
      for (let i = Math.max(0, row - 1); i <= Math.min(rows - 1, row + 1); i++) {
        for (let j = Math.max(0, column - 1); j <= Math.min(columns - 1, column + 1); j++) {
          const depth = depths[i * columns + j];
          if (depth > 0) [sum, count] = [sum + depth, count + 1];
        }
      }
      means[at] = depths[at] > 0 ? sum / count : 0;
    }
  }
  return means;
}

export class Space {
  /** @param part finds an element of the page by its id */
  constructor(part) {
    this.part = part;
    this.look = { ...STILL };
    this.fingers = new Map();
    this.surface = null;
    this.depth = null;
    this.listen();
  }

  /** Show a photo at its depth, if one of its maps is a distance. */
  async show(cards, photo, picture) {
    const card = [...cards.values()].find(({ facts }) => facts.distance);
    this.part("space").hidden = !card;
    this.depth = null;
    if (!card || !this.start()) return;
    this.setDepths(card.values);
    this.skins = new Map([["Photo", picture], ...[...cards.values()].map(({ facts, over }) => [facts.title, over.src])]);
    this.part("skin").replaceChildren(...[...this.skins.keys()].map((name) => new Option(name, name)));
    this.size = photo;
    this.part("space").style.setProperty("--shape", `${photo.width} / ${photo.height}`);
    const written = photo.focal ? (2 * Math.atan(FILM / 2 / photo.focal) * 180) / Math.PI : null;
    this.written = written && Math.round(Math.min(110, Math.max(20, written)));
    this.part("angle").value = this.written ?? USUAL;
    this.look = { ...STILL };
    await this.setSkin();
    this.sway();
  }

  start() {
    try {
      this.surface ??= new Surface(this.part("canvas"));
    } catch {
      this.part("no-space").hidden = false;
      this.part("canvas").hidden = true;
    }
    return this.surface !== null;
  }

  setDepths(values) {
    const { rows, columns } = values.grid;
    const step = Math.max(1, Math.max(rows, columns) / SIDE);
    const [height, width] = [Math.floor(rows / step), Math.floor(columns / step)].map((count) => Math.max(1, count));
    const depths = new Float32Array(height * width);
    for (let row = 0, at = 0; row < height; row++) {
      const start = Math.floor((row + 0.5) * (rows / height)) * columns;
      for (let column = 0; column < width; column++) {
        const [metres] = values.pixel(start + Math.floor((column + 0.5) * (columns / width)));
        depths[at++] = metres > 0 ? metres : 0;
      }
    }
    this.surface.setDepths(smoothed(depths, height, width), height, width);
    this.depth = depths.slice().sort()[depths.length >> 1] || 1;
  }

  async setSkin() {
    const image = new Image();
    image.src = this.skins.get(this.part("skin").value);
    await image.decode();
    this.surface.setSkin(image);
    this.draw();
  }

  draw() {
    if (this.drawn || this.depth === null) return;
    this.drawn = requestAnimationFrame(() => {
      this.drawn = null;
      const angle = Number(this.part("angle").value);
      const { width, height } = this.size;
      const half = Math.tan(radians(angle) / 2);
      const longest = Math.max(width, height);
      this.surface.draw({
        slope: [(half * width) / longest, (half * height) / longest],
        middle: this.depth,
        look: this.look,
        points: this.part("space").querySelector("[name=form]:checked").value === "points",
      });
      this.sayFocal(angle, half, longest);
    });
  }

  sayFocal(angle, half, longest) {
    this.part("view-angle").textContent = `${angle}°`;
    const [original, film] = [Math.max(...this.size.original) / 2 / half, FILM / 2 / half];
    const source = angle === this.written ? "As the camera wrote it down"
      : this.written ? "Chosen by you" : angle === USUAL ? "Assumed, for the photo does not say" : "Assumed by you";
    this.part("focal").textContent = `${source}: a focal length of ${Math.round(original)} pixels, ${Math.round(film)} mm on film of ${FILM} mm.`;
  }

  /** Turn a little from side to side, for depth is seen in motion; not for those who want none. */
  sway() {
    cancelAnimationFrame(this.swaying);
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const start = performance.now();
    const move = (now) => {
      const share = (now - start) / SWAY;
      if (share >= 1) return;
      const ease = Math.sin(Math.PI * share);
      this.look.yaw = 0.22 * ease * Math.sin(4 * Math.PI * share);
      this.look.pitch = 0.06 * ease * Math.sin(2 * Math.PI * share);
      this.draw();
      this.swaying = requestAnimationFrame(move);
    };
    this.swaying = requestAnimationFrame(move);
  }

  turn(name, by) {
    cancelAnimationFrame(this.swaying);
    const [low, high] = LIMITS[name];
    const value = name === "distance" ? this.look.distance * (1 + by) : this.look[name] + by;
    this.look[name] = Math.min(high, Math.max(low, value));
    this.draw();
  }

  reset() {
    cancelAnimationFrame(this.swaying);
    this.look = { ...STILL };
    this.draw();
  }

  listen() {
    const canvas = this.part("canvas");
    canvas.addEventListener("keydown", (event) => {
      if (event.key === "Home") this.reset();
      else if (event.key in KEYS) this.turn(...KEYS[event.key]);
      else return;
      event.preventDefault();
    });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.fingers.set(event.pointerId, event);
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => this.fingers.delete(event.pointerId));
    canvas.addEventListener("pointermove", (event) => this.drag(event));
    canvas.addEventListener("wheel", (event) => {
      // a page that is scrolled past must not be caught here
      if (document.activeElement !== canvas) return;
      event.preventDefault();
      this.turn("distance", Math.sign(event.deltaY) * 0.08);
    }, { passive: false });
    const jobs = { "zoom-in": () => this.turn("distance", -0.15), "zoom-out": () => this.turn("distance", 0.15), reset: () => this.reset() };
    this.part("space").addEventListener("click", ({ target }) => jobs[target.dataset.turn]?.());
    this.part("space").addEventListener("input", ({ target }) => (target.id === "skin" ? this.setSkin() : this.draw()));
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  drag(event) {
    const before = this.fingers.get(event.pointerId);
    if (!before) return;
    const apart = () => {
      const [one, other] = [...this.fingers.values()];
      return Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    };
    if (this.fingers.size === 2) {
      const was = apart();
      this.fingers.set(event.pointerId, event);
      this.turn("distance", was / Math.max(1, apart()) - 1);
      return;
    }
    this.fingers.set(event.pointerId, event);
    this.turn("yaw", (event.clientX - before.clientX) / 200);
    this.turn("pitch", (event.clientY - before.clientY) / 200);
  }
}
