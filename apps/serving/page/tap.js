/** @file On the audio thread: hands blocks of samples to the page. */

const BLOCK = 1600;

class Tap extends AudioWorkletProcessor {
  #held = new Float32Array(BLOCK);
  #count = 0;

  process([[samples] = []]) {
    for (const x of samples ?? []) {
      this.#held[this.#count++] = x;
      if (this.#count < BLOCK) continue;
      this.port.postMessage(this.#held, [this.#held.buffer]);
      this.#held = new Float32Array(BLOCK);
      this.#count = 0;
    }
    return true;
  }
}
registerProcessor("tap", Tap);
