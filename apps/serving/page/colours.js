/** @file A colour for each emotion, readable on light and dark; what has none of its own gets one by its place. */

const NAMED = {
  angry: "#d8433b",
  anger: "#d8433b",
  happy: "#e0a100",
  happiness: "#e0a100",
  joy: "#e0a100",
  excited: "#ec7a1c",
  sad: "#3d7fd9",
  sadness: "#3d7fd9",
  neutral: "#8a90a5",
  calm: "#4aa5a0",
  fear: "#8e5bd0",
  fearful: "#8e5bd0",
  disgust: "#5d9a3c",
  surprise: "#d9569a",
  surprised: "#d9569a",
  frustrated: "#a8603a",
};
const OTHERS = ["#2f9c95", "#b1539e", "#7a8f2c", "#5a6fd6", "#c7683f", "#4f8fb8"];
const NONE = "#8a90a5";

/**
 * The colour of `label` among `labels`; null is an abstention.
 * @param {string | null} label
 * @param {readonly string[]} labels
 */
export function colourOf(label, labels) {
  if (label === null) return NONE;
  return NAMED[label.toLowerCase()] ?? OTHERS[Math.max(0, labels.indexOf(label)) % OTHERS.length];
}
