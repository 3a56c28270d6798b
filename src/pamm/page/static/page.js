// The page: from a photo to its maps.

import { useCamera } from "./camera.js";
import { Cards, make } from "./cards.js";
import { about, ask, predict, sendPhoto } from "./server.js";
import { Space } from "./space.js";

const part = (id) => document.getElementById(id);
const NARROW = matchMedia("(max-width: 60rem)");
const number = new Intl.NumberFormat("en");
const cards = new Cards(part("maps"), part("card"), part("spoken"));
const space = new Space(part);
let known = null;
let current = { photo: null, result: null, name: "photo" };
let running = new AbortController();
// the signal of a photo on its way, which will be looked at with the weights that are chosen by then
let arriving = null;
// what "Try again" does
let again = null;

function say(words) {
  part("status").textContent = words;
}

function work(share, words) {
  const progress = part("progress");
  part("work").hidden = false;
  if (share === null) progress.removeAttribute("value");
  else progress.value = share;
  if (part("work-words").textContent !== words) {
    part("work-words").textContent = words;
    say(words);
  }
  if (!document.body.classList.contains("working") && NARROW.matches) part("results").scrollIntoView();
  document.body.classList.add("working");
  allow();
}

function rest() {
  part("work").hidden = true;
  document.body.classList.remove("working");
  allow();
}

/** Let be used what can be used. */
function allow() {
  const working = document.body.classList.contains("working");
  part("blend-all").disabled = !current.result;
  part("download").disabled = working || !current.result || !cards.chosen().length;
}

function complain(error) {
  rest();
  if (!current.result) empty();
  part("alert-words").textContent = error.message;
  part("again").hidden = !(error.passing && again);
  part("alert").hidden = false;
  part("alert").scrollIntoView({ block: "nearest" });
}

/** Show that there are no maps yet. */
function empty() {
  if (!known) return;
  const tasks = known.tasks[part("weights").value];
  cards.announce(tasks);
  listTasks(tasks);
  part("space").hidden = true;
  allow();
}

/** Carry something out unless something newer is begun; what goes wrong is said. */
async function run(job) {
  running.abort();
  const mine = (running = new AbortController());
  again = job;
  part("alert").hidden = true;
  try {
    await job(mine.signal);
  } catch (error) {
    if (!mine.signal.aborted) complain(error);
  } finally {
    if (arriving === mine.signal) arriving = null;
    if (!mine.signal.aborted) rest();
  }
}

const usePhoto = (file) => run(async (signal) => {
  if (file.size > known.max_bytes) {
    throw new Error(`The file has ${megabytes(file.size)} MB, and at most ${megabytes(known.max_bytes)} MB are taken: choose a smaller one.`);
  }
  arriving = signal;
  work(0, "Sending the photo");
  const told = (share) => work(share < 1 ? share : null, share < 1 ? "Sending the photo" : "Reading the photo");
  const photo = await sendPhoto(file, told, signal);
  current = { photo, result: null, name: file.name?.replace(/\.[^.]*$/, "") || "photo" };
  showPhoto(photo);
  arriving = null;
  again = look;
  await look(signal);
});

function showPhoto(photo) {
  const image = part("photo");
  image.src = `/photos/${photo.photo}`;
  image.alt = `The photo: ${current.name}`;
  image.hidden = false;
  part("invitation").hidden = true;
  const size = (rows, columns) => `${number.format(columns)} × ${number.format(rows)}`;
  const shown = size(photo.height, photo.width);
  part("facts").textContent = photo.reduced ? `${size(...photo.original)} pixels, reduced to ${shown}` : `${shown} pixels`;
  part("facts").hidden = false;
}

async function look(signal) {
  const told = ({ place, seconds, step, steps, words }) => {
    if (place !== undefined) work(null, place ? `${before(place)} before yours${wait(seconds)}` : "Yours is next");
    else work(step ? step / steps : null, words);
  };
  const { photo } = current;
  const result = await predict(photo.photo, part("weights").value, told, signal);
  if (signal.aborted) return;
  work(null, "Fetching the maps");
  current.result = result;
  const shown = await cards.show(result, `/photos/${photo.photo}`, photo);
  if (signal.aborted) return;
  space.show(shown, photo, part("photo").src);
  listTasks(result.maps);
  say(`${result.maps.length} maps are here, after ${result.seconds.toFixed(1)} seconds in the network.`);
}

const before = (place) => (place > 1 ? `${number.format(place)} photos are` : "One photo is");
const wait = (seconds) => (seconds ? `, about ${Math.ceil(seconds)} s` : "");
const megabytes = (bytes) => number.format(Math.round(bytes / 1e5) / 10);

function listTasks(maps) {
  const place = part("tasks");
  const legend = place.querySelector("legend");
  place.replaceChildren(legend, ...maps.map(({ name, title }) => {
    const label = make("label", "", title);
    const box = make("input");
    Object.assign(box, { type: "checkbox", name, checked: !cards.hidden.has(name) });
    box.addEventListener("change", () => {
      cards.setHidden(name, !box.checked);
      allow();
    });
    label.prepend(box);
    return label;
  }));
}

const download = () => run(async (signal) => {
  work(null, "Packing the maps");
  const wanted = new URLSearchParams(cards.chosen().map((name) => ["task", name]));
  const packed = await (await ask(`/results/${current.result.result}/maps.zip?${wanted}`, { signal })).blob();
  const link = make("a");
  link.href = URL.createObjectURL(packed);
  link.download = `${current.name}-maps.zip`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  say("The maps are packed and being saved.");
});

const useExample = (index, title) => run(async (signal) => {
  arriving = signal;
  const blob = await (await ask(`/examples/${index}`, { signal })).blob();
  usePhoto(new File([blob], `${title}.jpg`, { type: blob.type }));
});

function listExamples(titles) {
  part("examples").append(...titles.map((title, index) => {
    const item = make("li");
    const button = make("button");
    button.type = "button";
    const image = make("img");
    Object.assign(image, { src: `/examples/${index}`, alt: title });
    button.title = title;
    button.append(image);
    button.addEventListener("click", () => useExample(index, title));
    item.append(button);
    return item;
  }));
}

function first(list) {
  const file = [...(list ?? [])].find(Boolean);
  if (file) usePhoto(file);
}

function listen() {
  part("choose").addEventListener("click", () => part("file").click());
  for (const id of ["file", "shot"]) {
    part(id).addEventListener("change", ({ target }) => {
      first(target.files);
      target.value = "";
    });
  }
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget ?? document.body.classList.remove("dragging"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    const { files, types } = event.dataTransfer;
    if (!files.length && types.length) {
      complain(new Error("That is no file, but the address of one, or text. Save the picture and drop its file, or copy the picture itself and paste it."));
    }
    first(files);
  });
  document.addEventListener("paste", (event) => first(event.clipboardData.files));
  part("dismiss").addEventListener("click", () => (part("alert").hidden = true));
  part("again").addEventListener("click", () => run(again));
  part("blend-all").addEventListener("input", ({ target }) => cards.setBlend(null, target.value));
  part("weights").addEventListener("change", () => {
    if (current.photo && !arriving) run(look);
    else if (!current.result) empty();
  });
  part("download").addEventListener("click", download);
  useCamera(part, usePhoto, complain);
}

async function start() {
  known = await about();
  part("weights").append(...known.weights.map((name) => new Option(name, name)));
  part("version").textContent = `pamm ${known.version}`;
  part("limits").textContent = `JPEG, PNG or WebP, up to ${megabytes(known.max_bytes)} MB and ${number.format(known.max_pixels / 1e6)} megapixels; sides above ${number.format(known.longest)} pixels are reduced.`;
  empty();
  listExamples(known.examples);
  listen();
  document.body.classList.add("ready");
}

start().catch(complain);
