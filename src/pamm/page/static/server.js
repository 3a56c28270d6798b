// Talking to the server: every failure becomes an Error whose message a visitor can read.

const JOIN = "/gradio/gradio_api/queue/join";
const NEWS = "/gradio/gradio_api/queue/data";
const LOST = "The server does not answer. Is it still running? Then try again.";
const FULL = "Too many photos are waiting at the moment. Try again in a minute.";

/** An Error of something that may well go right next time: `passing` tells it from others. */
const passing = (words) => Object.assign(new Error(words), { passing: true });

/** What the page must know before anything else. */
export const about = async () => (await ask("/about")).json();

/** Fetch something of the server's. */
export async function ask(address, options) {
  let answer;
  try {
    answer = await fetch(address, options);
  } catch {
    throw passing(LOST);
  }
  if (!answer.ok) throw await reason(answer.status, () => answer.json());
  return answer;
}

async function reason(status, read) {
  if (status === 503) return passing(FULL);
  try {
    const { detail } = await read();
    if (typeof detail === "string") return status === 408 || status === 429 ? passing(sentence(detail)) : new Error(sentence(detail));
  } catch {
    // the status says what is left to say
  }
  return passing(`The server answered with error ${status}. Try again.`);
}

/** Send a file; `told` hears the share that is on its way. */
export function sendPhoto(file, told, signal) {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/photos");
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && told(event.loaded / event.total);
    request.onerror = () => fail(passing(LOST));
    request.onload = async () => {
      if (request.status === 200) done(request.response);
      else fail(await reason(request.status, async () => request.response));
    };
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

/** Queue for the maps of a photo; `told` hears the place in the queue and the steps. */
export async function predict(photo, weights, told, signal) {
  const session = crypto.getRandomValues(new Uint32Array(4)).join("-");
  const body = JSON.stringify({ data: [photo, weights], session_hash: session });
  await ask(JOIN, { method: "POST", body, signal });
  return new Promise((done, fail) => {
    const news = new EventSource(`${NEWS}?session_hash=${session}`);
    const end = (settle, value) => (news.close(), settle(value));
    signal.addEventListener("abort", () => news.close());
    news.onerror = () => end(fail, passing(LOST));
    news.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.msg === "estimation") told({ place: message.rank, seconds: message.rank_eta });
      if (message.msg === "process_starts") told({ step: 0, steps: 1, words: "Running the network" });
      if (message.msg === "progress") {
        const [{ index, length, desc }] = message.progress_data;
        told({ step: index, steps: length, words: desc });
      }
      if (message.msg === "unexpected_error") end(fail, passing(LOST));
      if (message.msg !== "process_completed") return;
      if (message.success) end(done, message.output.data[0]);
      else end(fail, new Error(sentence(message.output.error ?? "the network failed on this photo: try another")));
    };
  });
}

const sentence = (words) => words[0].toUpperCase() + words.slice(1) + (words.endsWith(".") ? "" : ".");
