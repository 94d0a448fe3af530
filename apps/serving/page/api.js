/** @file The server's routes as the page calls them. */

/** An error with a sentence for people. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {string} code
   */
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

const HELP = {
  unauthorized: "The server asks for a key: give it under Options.",
  audio_unsupported: "This is no sound file that the server can read.",
  audio_decode: "This sound file is damaged.",
  audio_too_long: "This recording is too long for the server.",
  payload_too_large: "This file is too large for the server.",
  queue_full: "The server is busy. Try again in a moment.",
  rate_limited: "That was too many requests in a minute. Try again a little later.",
};

/** @param {string} key */
const headers = (key) => (key === "" ? {} : { authorization: `Bearer ${key}` });

/**
 * @param {string} path
 * @param {RequestInit} init
 */
async function call(path, init) {
  const response = await fetch(path, init).catch(() => {
    throw new ApiError("The server does not answer. Is it still running?", "unreachable");
  });
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  const { code = "unknown", message = `status ${response.status}` } = body.error ?? {};
  throw new ApiError(HELP[code] ? `${HELP[code]} (${message})` : message, code);
}

/** @param {string} key */
export const listModels = async (key) => (await call("/v1/models", { headers: headers(key) })).data;

/**
 * @param {Blob} sound
 * @param {Record<string, string>} options
 * @param {string} key
 */
export function judge(sound, options, key) {
  const form = new FormData();
  form.set("file", sound, sound.name ?? "recording.wav");
  for (const [name, value] of Object.entries(options)) form.set(name, value);
  return call("/v1/audio/emotions", { method: "POST", body: form, headers: headers(key) });
}

/**
 * @param {Blob} sound
 * @param {string} model
 * @param {string} key
 */
export async function transcribe(sound, model, key) {
  const form = new FormData();
  form.set("file", sound, sound.name ?? "recording.wav");
  form.set("model", model);
  return (await call("/v1/audio/transcriptions", { method: "POST", body: form, headers: headers(key) })).text;
}

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * The command that does the same.
 * @param {string} file
 * @param {Record<string, string>} options
 * @param {boolean} hasKey
 */
export const curlOf = (file, options, hasKey) =>
  [
    `curl ${location.origin}/v1/audio/emotions`,
    ...(hasKey ? ['-H "Authorization: Bearer $EMOSLLM_API_KEY"'] : []),
    `-F file=@${quoted(file)}`,
    ...Object.entries(options).map(([name, value]) => `-F ${quoted(`${name}=${value}`)}`),
  ].join(" \\\n  ");
