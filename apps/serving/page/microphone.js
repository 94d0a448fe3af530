/** @file The microphone as blocks of mono samples. */

/** Hz; browsers resample for us. */
export const RATE = 16_000;

const REASONS = {
  NotAllowedError: "The microphone was not allowed. Allow it for this page in the browser's settings.",
  NotFoundError: "There is no microphone.",
  NotReadableError: "The microphone is in use by another program.",
};

/**
 * Opens the microphone; `hear` gets 100 ms at a time. Rejects with an Error that says what a user can do.
 * @param {(samples: Float32Array) => void} hear
 */
export async function openMicrophone(hear) {
  if (!navigator.mediaDevices)
    throw new Error("Browsers give the microphone only to pages from this machine (localhost) or over https.");
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } }).catch((error) => {
    throw new Error(REASONS[error.name] ?? `The microphone could not be opened: ${error.message}`);
  });
  const context = new AudioContext({ sampleRate: RATE });
  await context.audioWorklet.addModule("/page/tap.js");
  const tap = new AudioWorkletNode(context, "tap", {
    numberOfOutputs: 0,
    channelCount: 1,
    channelCountMode: "explicit",
  });
  tap.port.addEventListener("message", ({ data }) => hear(data));
  tap.port.start();
  context.createMediaStreamSource(stream).connect(tap);
  return {
    async close() {
      for (const track of stream.getTracks()) track.stop();
      await context.close();
    },
  };
}
