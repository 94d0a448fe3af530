/** @file The waveform: peaks coloured by the emotion at their time, a strip of segments below, a line where it plays. */
import { colourOf } from "./colours.js";

const BAR = 3;
const GAP = 1;
const STRIP = 10;

/**
 * Largest absolute value of each of `count` equal stretches of `samples`.
 * @param {Float32Array} samples
 * @param {number} count
 */
export function peaksOf(samples, count) {
  return Float32Array.from({ length: count }, (_, i) => {
    const to = Math.floor(((i + 1) * samples.length) / count);
    let peak = 0;
    for (let at = Math.floor((i * samples.length) / count); at < to; at++) peak = Math.max(peak, Math.abs(samples[at]));
    return peak;
  });
}

/**
 * A drawing that keeps itself as large as its element.
 * @param {HTMLCanvasElement} canvas
 */
export function createWave(canvas) {
  let state = { samples: new Float32Array(0), seconds: 0, segments: [], labels: [], at: 0 };

  function draw() {
    const scale = window.devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = canvas;
    if (width === 0) return;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const c = canvas.getContext("2d");
    c.scale(scale, scale);
    const { samples, seconds, segments, labels, at } = state;
    const style = getComputedStyle(document.documentElement);
    const soft = style.getPropertyValue("--soft");
    const count = Math.floor(width / (BAR + GAP));
    const peaks = peaksOf(samples, count);
    const top = Math.max(0.02, ...peaks);
    const middle = (height - STRIP) / 2;
    let next = 0;
    for (let i = 0; i < count; i++) {
      const time = ((i + 0.5) / count) * seconds;
      while (next < segments.length && segments[next].end <= time) next++;
      const inside = next < segments.length && segments[next].start <= time;
      const half = Math.max(1, (peaks[i] / top) * (middle - 6));
      c.globalAlpha = time <= at || at === 0 ? 1 : 0.45;
      c.fillStyle = inside ? colourOf(segments[next].label, labels) : soft;
      c.fillRect(i * (BAR + GAP), middle - half, BAR, 2 * half);
    }
    c.globalAlpha = 1;
    for (const { start, end, label } of segments) {
      c.fillStyle = colourOf(label, labels);
      c.fillRect((start / seconds) * width, height - STRIP, Math.max(1, ((end - start) / seconds) * width - 1), STRIP);
    }
    if (at > 0) {
      c.fillStyle = style.getPropertyValue("--text");
      c.fillRect(Math.min(width - 2, (at / seconds) * width), 0, 2, height);
    }
  }

  new ResizeObserver(draw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  return {
    /** @param {Partial<typeof state>} change */
    show(change) {
      state = { ...state, ...change };
      draw();
    },
  };
}
