// The maps, each on its card: blended with the photo, with a legend, and with the value under the pointer.

import { Values } from "./values.js";

const STEP = 0.01;
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Cards {
  /** @param place where the cards go, @param template of one, @param spoken what is read aloud */
  constructor(place, template, spoken) {
    this.place = place;
    this.template = template;
    this.spoken = spoken;
    this.cards = new Map();
    this.hidden = new Set();
    this.blends = new Map();
    this.blend = 100;
    this.pointer = null;
  }

  /** Empty cards, so that what will come is there to see. */
  announce(titles) {
    this.clear();
    for (const { name, title } of titles) this.add(name, title, `Map of ${title}, empty until a photo is chosen`);
    this.place.classList.add("waiting");
  }

  clear() {
    this.place.replaceChildren();
    this.place.classList.remove("waiting");
    this.cards.clear();
    this.pointer = null;
  }

  add(name, title, label) {
    const element = this.template.content.firstElementChild.cloneNode(true);
    element.dataset.task = name;
    element.hidden = this.hidden.has(name);
    element.querySelector("h3").textContent = title;
    element.querySelector(".stage").setAttribute("aria-label", label);
    this.place.append(element);
    return element;
  }

  /** Show a result. Resolves to the values by task once they are all here. */
  async show(result, photo, size) {
    this.clear();
    this.place.style.setProperty("--shape", `${size.width} / ${size.height}`);
    const base = `/results/${result.result}`;
    for (const facts of result.maps) {
      const card = this.card(facts, `${base}/${facts.name}.png`, photo);
      this.setBlend(facts.name, this.blends.get(facts.name) ?? this.blend);
      card.ready = Values.load(`${base}/${facts.name}.values`, facts).then((values) => (card.values = values));
    }
    await Promise.all([...this.cards.values()].map((card) => card.ready));
    return this.cards;
  }

  card(facts, picture, photo) {
    const element = this.add(facts.name, facts.title, facts.words);
    const part = (selector) => element.querySelector(selector);
    const card = { facts, element, blend: part("input"), over: part(".over"), values: null };
    card.over.src = picture;
    card.over.alt = facts.words;
    part(".under").src = photo;
    card.blend.setAttribute("aria-label", `Blend of ${facts.title} with the photo`);
    card.blend.addEventListener("input", () => this.setBlend(facts.name, card.blend.value));
    part(".legend").append(...legend(facts));
    const enlarge = part(".enlarge");
    enlarge.setAttribute("aria-label", `Enlarge ${facts.title}`);
    enlarge.addEventListener("click", () => {
      const large = element.classList.toggle("large");
      enlarge.setAttribute("aria-pressed", large);
      element.scrollIntoView({ block: "nearest" });
    });
    this.listen(part(".stage"));
    this.cards.set(facts.name, card);
    return card;
  }

  listen(stage) {
    const point = (event) => {
      const box = stage.getBoundingClientRect();
      const share = (at, start, length) => Math.min(1, Math.max(0, (at - start) / length));
      this.point(share(event.clientX, box.left, box.width), share(event.clientY, box.top, box.height));
    };
    stage.addEventListener("pointermove", point);
    stage.addEventListener("pointerdown", point);
    stage.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.point(null));
    stage.addEventListener("focus", () => stage.matches(":focus-visible") && this.point(...(this.pointer ?? [0.5, 0.5]), true));
    stage.addEventListener("keydown", (event) => {
      const [x, y] = this.pointer ?? [0.5, 0.5];
      const far = event.shiftKey ? 5 * STEP : STEP;
      const clamp = (share) => Math.min(1, Math.max(0, share));
      if (event.key in KEYS) this.point(clamp(x + far * KEYS[event.key][0]), clamp(y + far * KEYS[event.key][1]), true);
      else if (event.key === "Home") this.point(0.5, 0.5, true);
      else if (event.key === "Escape") this.point(null);
      else return;
      event.preventDefault();
    });
  }

  /** Look at a place, x and y from 0 to 1, or at none. Read aloud if asked. */
  point(x, y, aloud = false) {
    this.pointer = x === null ? null : [x, y];
    this.place.classList.toggle("pointed", x !== null);
    const said = [];
    for (const { element, values, facts } of this.cards.values()) {
      const { words, detail = "", colour } = x !== null && values ? values.say(x, y) : { words: "" };
      const swatch = element.querySelector(".swatch");
      swatch.hidden = !colour;
      if (colour) swatch.style.background = colour;
      element.querySelector(".value span").textContent = words;
      element.querySelector(".value small").textContent = detail;
      if (!element.hidden && words) said.push(`${facts.title}: ${words}`);
    }
    if (x === null) return;
    this.place.style.setProperty("--x", `${100 * x}%`);
    this.place.style.setProperty("--y", `${100 * y}%`);
    clearTimeout(this.speaking);
    if (aloud) this.speaking = setTimeout(() => (this.spoken.textContent = said.join(". ")), 250);
  }

  /** Blend one map, or all, with the photo: 0 is the photo alone, 100 the map alone. */
  setBlend(name, value) {
    if (name === null) {
      this.blends.clear();
      this.blend = value;
    } else this.blends.set(name, value);
    for (const [key, card] of this.cards) {
      if (name !== null && key !== name) continue;
      card.blend.value = value;
      card.over.style.opacity = value / 100;
    }
  }

  setHidden(name, hidden) {
    if (hidden) this.hidden.add(name);
    else this.hidden.delete(name);
    for (const element of this.place.children) element.hidden = this.hidden.has(element.dataset.task);
  }

  /** Names of the maps that are shown. */
  chosen() {
    return [...this.cards.keys()].filter((name) => !this.hidden.has(name));
  }
}

function legend({ legend: { swatches, bar, ticks } }) {
  if (bar.length) {
    const colours = make("div", "scale");
    colours.style.background = `linear-gradient(to right, ${bar.join(", ")})`;
    const numbers = make("div", "ticks");
    numbers.append(...ticks.map((words) => make("span", "", words)));
    return [colours, numbers];
  }
  const list = make("ul", "swatches");
  for (const [colour, words] of swatches) {
    const item = make("li", "", words);
    const swatch = make("i", "swatch");
    swatch.style.background = colour;
    item.prepend(swatch);
    list.append(item);
  }
  return swatches.length ? [list] : [];
}

export function make(tag, kind = "", words = "") {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  element.textContent = words;
  return element;
}
