/** @file A realtime session: sends sound, hands on what the server says, and takes a broken socket up again. */

const PATH = "/v1/realtime/emotions";
/** Samples that are kept for sending again: a minute at 16 kHz. */
const KEPT = 960_000;
const TRIES = 5;
/** Bytes that may wait in the browser. */
const MOST_UNSENT = 2 ** 20;

/**
 * @param {object} options
 * @param {string} options.model
 * @param {string} options.key
 * @param {number} options.sampleRate Hz
 * @param {(message: any) => void} options.hear
 * @param {(error: Error | undefined) => void} options.ended
 */
export function openSession({ model, key, sampleRate, hear, ended }) {
  let socket;
  let session;
  let [last, tries] = [0, 0];
  let [stopping, over] = [false, false];
  /** Sound from sample `from` on, in blocks; `sent` is how far it went into the socket. */
  let blocks = [];
  let from = 0;
  let sent = 0;
  let ready = false;

  const finish = (error) => {
    if (over) return;
    over = true;
    socket?.close();
    ended(error);
  };

  function flush() {
    if (!ready || socket.readyState !== WebSocket.OPEN) return;
    let at = from;
    for (const block of blocks) {
      const end = at + block.length;
      if (end > sent && socket.bufferedAmount < MOST_UNSENT) {
        socket.send(block.slice(Math.max(0, sent - at)));
        sent = end;
      }
      at = end;
    }
    while (blocks.length > 1 && at - from - blocks[0].length >= KEPT) from += blocks.shift().length;
    if (stopping && sent === at) socket.send('{"type":"stop"}');
  }

  function connect() {
    ready = false;
    const protocols = ["emosllm.v1", ...(key === "" ? [] : [`bearer.${key}`])];
    socket = new WebSocket(PATH.replace(/^/, location.origin.replace(/^http/, "ws")), protocols);
    socket.addEventListener("open", () =>
      socket.send(
        JSON.stringify({
          type: "start",
          model,
          sample_rate: sampleRate,
          ...(session ? { resume: { session, last } } : {}),
        }),
      ),
    );
    socket.addEventListener("message", ({ data }) => {
      const message = JSON.parse(data);
      if (message.seq) last = message.seq;
      if (message.type === "started") {
        session = message.session;
        tries = 0;
        sent = Math.max(from, message.received_samples);
        ready = true;
        flush();
      }
      if (message.type === "error") return finish(new Error(message.error.message));
      hear(message);
      if (message.type === "done") finish();
    });
    socket.addEventListener("close", ({ code }) => {
      if (over) return;
      if (code === 4000) return finish(new Error("The server heard nothing for too long."));
      if (++tries > TRIES) return finish(new Error("The connection to the server was lost."));
      setTimeout(connect, 200 * 2 ** tries);
    });
  }

  connect();
  return {
    /** @param {Float32Array} samples */
    send(samples) {
      blocks.push(Int16Array.from(samples, (x) => Math.max(-1, Math.min(1, x)) * 32767));
      flush();
    },
    stop() {
      stopping = true;
      flush();
    },
  };
}
