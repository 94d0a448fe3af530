/** @file The answer on the page: verdict, bars, segments, voice; the player that moves through them. */
import { colourOf } from "./colours.js";
import { createWave } from "./wave.js";

/** @param {string} id */
export const $ = (id) => document.getElementById(id);

/** @param {number} seconds */
const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
const percent = (share) => `${Math.round(100 * share)} %`;

/**
 * @param {string} tag
 * @param {Record<string, unknown>} properties
 * @param {...(Node | string)} children
 */
function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

const swatch = (colour) => {
  const made = element("span", { className: "swatch", ariaHidden: "true" });
  made.style.background = colour;
  return made;
};

export function createView() {
  const wave = createWave($("wave"));
  const audio = $("audio");
  let [seconds, segments, labels] = [0, [], []];
  let overall = [];
  let shown = -1;

  function verdict(label, emotions, note) {
    const best = emotions[0];
    const [small, dot] = [element("small"), swatch(colourOf(label, labels))];
    small.textContent = [label !== null && best ? percent(best.score) : "", note].filter(Boolean).join(" · ");
    $("label").replaceChildren(dot, label ?? "no clear emotion", small);
  }

  function bars(emotions) {
    const byLabel = new Map(emotions.map((e) => [e.label, e.score]));
    // Always in one order, so that bars grow and shrink in their places.
    $("bars").replaceChildren(
      ...labels.map((label) => {
        const score = byLabel.get(label) ?? 0;
        const fill = element("div", { className: "fill" });
        fill.style.width = `${100 * score}%`;
        fill.style.background = colourOf(label, labels);
        return element(
          "li",
          {},
          element("span", { className: "name" }, label),
          element("div", { className: "track", ariaHidden: "true" }, fill),
          element("span", { className: "value" }, percent(score)),
        );
      }),
    );
  }

  function list() {
    $("segments-part").hidden = segments.length === 0;
    $("segments").replaceChildren(
      ...segments.map(({ start, end, label, emotions }) => {
        const share = emotions.find((e) => e.label === label)?.score;
        const button = element(
          "button",
          { type: "button", onclick: () => seek(start, true) },
          swatch(colourOf(label, labels)),
          element("span", {}, `${clock(start)} – ${clock(end)}`),
          element("span", {}, label ?? "no clear emotion"),
          element("span", {}, share === undefined ? "" : percent(share)),
        );
        return element("li", {}, button);
      }),
    );
  }

  function follow(at) {
    wave.show({ at });
    $("clock").textContent = `${clock(at)} / ${clock(seconds)}`;
    $("seek").setAttribute("aria-valuenow", at.toFixed(1));
    const index = at > 0 ? segments.findIndex((s) => at >= s.start && at < s.end) : -1;
    const text = index < 0 ? clock(at) : `${clock(at)}, ${segments[index].label ?? "no clear emotion"}`;
    $("seek").setAttribute("aria-valuetext", text);
    if (index === shown) return;
    shown = index;
    bars(index < 0 ? overall : segments[index].emotions);
    [...$("segments").querySelectorAll("button")].forEach((b, i) => (b.ariaCurrent = i === index ? "true" : null));
  }

  function seek(to, play = false) {
    const at = Math.max(0, Math.min(seconds, to));
    if (audio.src && Number.isFinite(audio.duration)) audio.currentTime = at;
    follow(at);
    if (play && audio.src) void audio.play();
  }

  $("seek").addEventListener("pointerdown", (event) => {
    const { left, width } = $("seek").getBoundingClientRect();
    seek(((event.clientX - left) / width) * seconds);
  });
  const KEYS = {
    ArrowRight: 1,
    ArrowUp: 1,
    ArrowLeft: -1,
    ArrowDown: -1,
    PageUp: 10,
    PageDown: -10,
    Home: -1e9,
    End: 1e9,
  };
  $("seek").addEventListener("keydown", (event) => {
    if (event.key === " ") $("play").click();
    else if (event.key in KEYS) seek((audio.currentTime || 0) + KEYS[event.key]);
    else return;
    event.preventDefault();
  });
  $("play").addEventListener("click", () => (audio.paused ? void audio.play() : audio.pause()));
  const frame = () => {
    follow(audio.currentTime);
    if (!audio.paused) requestAnimationFrame(frame);
  };
  const button = (playing) => {
    $("play").textContent = playing ? "❚❚" : "▶";
    $("play").ariaLabel = playing ? "Pause" : "Play";
  };
  audio.addEventListener("play", () => {
    button(true);
    frame();
  });
  audio.addEventListener("pause", () => button(false));
  audio.addEventListener("ended", () => follow(0));

  function open({ live }) {
    $("result").hidden = false;
    $("play").hidden = live;
    $("seek").tabIndex = live ? -1 : 0;
    $("timing").textContent = "";
    $("voice-part").hidden = $("transcript-part").hidden = true;
    shown = -1;
  }

  return {
    /** A finished answer; `samples` may be empty where the browser cannot decode the file. */
    answer(result, { samples, sound, modelLabels }) {
      open({ live: false });
      labels = modelLabels;
      seconds = result.usage.audio_seconds;
      overall = result.emotions;
      segments = result.segments ?? [{ start: 0, end: seconds, label: result.label, emotions: result.emotions }];
      if (audio.src) URL.revokeObjectURL(audio.src);
      audio.src = URL.createObjectURL(sound);
      const short = result.reliability < 1 ? "short clip, drawn towards even odds" : "";
      verdict(result.label, result.emotions, short);
      list();
      bars(overall);
      $("voice-part").hidden = result.voice === null;
      $("voice-text").textContent = result.voice?.text ?? "";
      this.transcript(result.transcript);
      const { total_ms: total, queue_ms: queue, batch_size: size } = result.timing;
      $("timing").textContent =
        `${seconds.toFixed(1)} s of sound answered in ${Math.round(total)} ms by ${result.model}` +
        (size > 1 ? `, together with ${size - 1} others` : "") +
        (queue > 50 ? `, ${Math.round(queue)} ms of them in the queue` : "");
      $("seek").setAttribute("aria-valuemax", seconds.toFixed(1));
      wave.show({ samples, seconds, segments, labels, at: 0 });
      follow(0);
    },
    transcript(text) {
      $("transcript-part").hidden = !text;
      $("transcript").textContent = text ?? "";
    },
    /** Live sound so far, and what was said of it. */
    live({ samples, rate, windows, modelLabels }) {
      open({ live: true });
      labels = modelLabels;
      seconds = samples.length / rate;
      // The latest window decides what overlaps.
      segments = joined(windows);
      const latest = windows.at(-1);
      if (latest) verdict(latest.label, latest.emotions, `${clock(latest.start)} to ${clock(latest.end)}`);
      else $("label").textContent = "listening …";
      bars(latest?.emotions ?? []);
      list();
      wave.show({ samples, seconds, segments, labels, at: 0 });
      $("clock").textContent = clock(seconds);
    },
  };
}

/** Overlapping windows as a line of segments: each holds from its predecessor's end on. */
function joined(windows) {
  const line = [];
  for (const { start, end, label, emotions } of windows) {
    const before = line.at(-1);
    const from = Math.max(start, before?.end ?? 0);
    if (before && before.label === label && from - before.end < 0.01) Object.assign(before, { end, emotions });
    else line.push({ start: from, end, label, emotions });
  }
  return line;
}
