/** @file The page: files, recordings and live sound to the server, its answers to the view. */
import { curlOf, judge, listModels, transcribe } from "./api.js";
import { RATE, openMicrophone } from "./microphone.js";
import { openSession } from "./realtime.js";
import { $, createView } from "./view.js";
import { wavOf } from "./wav.js";

/** From here on an answer over time says more than one for the whole. */
const LONG = 5;
/** Seconds of live sound that are drawn. */
const DRAWN = 60;
/** Longest recording, seconds. */
const LONGEST = 600;

const view = createView();
let models = [];

const status = (text, busy = false) => {
  $("status").textContent = text;
  $("status").classList.toggle("busy", busy);
};
const problem = (text) => {
  $("problem").hidden = text === "";
  $("problem").textContent = text;
};
const key = () => $("key").value.trim();
const model = () => models.find((m) => m.id === $("model").value) ?? models[0];

async function loadModels() {
  try {
    models = await listModels(key());
    const chosen = $("model").value;
    $("model").replaceChildren(...models.map(({ id }) => new Option(id, id, false, id === chosen)));
    problem("");
    status(`Ready: ${models.map((m) => m.id).join(", ")}.`);
  } catch (error) {
    problem(error.message);
    if (error.code === "unauthorized") {
      $("options").open = true;
      $("key").focus();
    }
  }
}

/** Samples for the drawing; none for a format that this browser cannot decode. */
async function samplesOf(sound) {
  const context = new OfflineAudioContext(1, 1, RATE);
  try {
    const decoded = await context.decodeAudioData(await sound.arrayBuffer());
    return { samples: decoded.getChannelData(0), seconds: decoded.duration };
  } catch {
    return { samples: new Float32Array(0), seconds: Infinity };
  }
}

async function ask(sound) {
  if (!models.length) await loadModels();
  if (!models.length) return;
  problem("");
  status("Listening to it …", true);
  const { samples, seconds } = await samplesOf(sound);
  const words = $("transcript-in").value.trim();
  const options = {
    model: model().id,
    voice: $("voice").value,
    ...(seconds > LONG ? { timeline: "true" } : {}),
    ...(words === "" ? {} : { transcript: words }),
  };
  try {
    const result = await judge(sound, options, key()).catch((error) => {
      // Nobody speaks in it, says the detector; the whole may still be judged.
      if (error.code !== "audio_empty" || !options.timeline) throw error;
      delete options.timeline;
      return judge(sound, options, key());
    });
    view.answer(result, { samples, sound, modelLabels: model().labels });
    const name = sound.name ?? "recording.wav";
    $("curl").textContent = curlOf(name, options, key() !== "");
    $("curl-part").hidden = false;
    status(`Done: ${result.label ?? "no clear emotion"}.`);
    if (words === "" && model().tasks.includes("generate"))
      transcribe(sound, model().id, key()).then(
        (text) => view.transcript(text),
        () => undefined,
      );
  } catch (error) {
    status("");
    problem(error.message);
  }
}

/** A button that starts something and stops it again; `start` gives what ends it. */
function toggle(button, idle, running, start) {
  const text = button.querySelector(".text");
  const others = ["record", "live", "choose"].map($).filter((b) => b !== button);
  let stop;
  const show = (on) => {
    button.ariaPressed = String(on);
    text.textContent = on ? running : idle;
    for (const other of others) other.disabled = on;
  };
  const end = () => {
    const ending = stop;
    stop = undefined;
    show(false);
    ending?.();
  };
  button.addEventListener("click", async () => {
    if (stop) return end();
    problem("");
    show(true);
    try {
      stop = await start(end);
    } catch (error) {
      show(false);
      status("");
      problem(error.message);
    }
  });
}

toggle($("record"), "Record", "Stop", async (end) => {
  const blocks = [];
  let seconds = 0;
  const microphone = await openMicrophone((samples) => {
    blocks.push(samples);
    seconds += samples.length / RATE;
    status(`Recording, ${Math.floor(seconds)} s`);
    if (seconds >= LONGEST) end();
  });
  status("Recording");
  return async () => {
    await microphone.close();
    if (seconds === 0) return problem("Nothing was recorded.");
    await ask(wavOf(blocks, RATE));
  };
});

toggle($("live"), "Live", "Stop", async (end) => {
  if (!models.length) await loadModels();
  const { id, labels } = model();
  let samples = new Float32Array(0);
  let dropped = 0;
  let windows = [];
  const draw = () => {
    const shift = dropped / RATE;
    const shown = windows.filter((w) => w.end > shift);
    view.live({
      samples,
      rate: RATE,
      windows: shown.map((w) => ({ ...w, start: Math.max(0, w.start - shift), end: w.end - shift })),
      modelLabels: labels,
    });
  };
  const session = openSession({
    model: id,
    key: key(),
    sampleRate: RATE,
    hear(message) {
      if (message.type !== "window") return;
      const before = windows.at(-1)?.label;
      windows = [...windows.slice(-500), message];
      if (message.label !== before) status(`Live: ${message.label ?? "no clear emotion"}`);
      draw();
    },
    ended(error) {
      if (error) {
        end();
        problem(error.message);
      }
      status("");
    },
  });
  const microphone = await openMicrophone((block) => {
    session.send(block);
    const joined = new Float32Array(samples.length + block.length);
    joined.set(samples);
    joined.set(block, samples.length);
    const over = Math.max(0, joined.length - DRAWN * RATE);
    dropped += over;
    samples = joined.slice(over);
    draw();
  }).catch((error) => {
    session.stop();
    throw error;
  });
  status("Live: speak");
  return async () => {
    await microphone.close();
    session.stop();
  };
});

$("choose").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => {
  const [file] = $("file").files;
  if (file) void ask(file);
  $("file").value = "";
});
$("key").addEventListener("change", () => void loadModels());
$("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText($("curl").textContent);
  status("Copied.");
});

for (const name of ["dragover", "dragenter"])
  document.addEventListener(name, (event) => {
    event.preventDefault();
    $("drop").classList.add("over");
  });
document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) $("drop").classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  $("drop").classList.remove("over");
  const [file] = event.dataTransfer.files;
  if (file) void ask(file);
});

void loadModels();
