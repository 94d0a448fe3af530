/** @file The page: a file or five seconds of microphone in, bars out. */
import type { DeviceChoice } from "@emosllm/runtime/web";
import { type PageModel, openPageModel } from "./model.ts";

const RECORDED_SECONDS = 5;
const find = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const status = find("status");
const file = find<HTMLInputElement>("file");
const record = find<HTMLButtonElement>("record");
/** `?device=cpu` or `?device=webgpu` asks for one. */
const asked = (new URLSearchParams(location.search).get("device") ?? "auto") as DeviceChoice;
const opening = openPageModel(new URL("bundle/", location.href).href, new URL("ort/", location.href).href, asked);

async function show(sound: (model: PageModel) => Promise<Float32Array>): Promise<void> {
  record.disabled = file.disabled = true;
  try {
    status.textContent = "Listening ...";
    const model = await opening;
    const samples = await sound(model);
    const started = performance.now();
    const scores = Object.entries(await model.score(samples));
    find("bars").replaceChildren(
      ...scores.map(([label, p]) => {
        const row = document.createElement("div");
        row.className = "bar";
        row.dataset["label"] = label;
        row.dataset["probability"] = String(p);
        const [name, meter, value] = [
          document.createElement("span"),
          document.createElement("meter"),
          document.createElement("span"),
        ];
        name.textContent = label;
        meter.value = p;
        meter.setAttribute("aria-label", label);
        value.textContent = `${(100 * p).toFixed(1)} %`;
        row.append(name, meter, value);
        return row;
      }),
    );
    status.textContent = `${(samples.length / model.sampleRate).toFixed(1)} s of sound, judged in ${Math.round(performance.now() - started)} ms. Nothing left this machine.`;
  } catch (error) {
    status.textContent = error instanceof Error ? error.message : String(error);
  } finally {
    record.disabled = file.disabled = false;
  }
}

const decode = async (bytes: ArrayBuffer, rate: number): Promise<Float32Array> => {
  const sound = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes);
  const mono = new Float32Array(sound.length);
  for (let c = 0; c < sound.numberOfChannels; c++) {
    const channel = sound.getChannelData(c);
    for (let i = 0; i < mono.length; i++)
      mono[i] = (mono[i] as number) + (channel[i] as number) / sound.numberOfChannels;
  }
  return mono;
};

async function microphone(rate: number): Promise<Float32Array> {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  try {
    const recorder = new MediaRecorder(stream);
    const parts: Blob[] = [];
    recorder.ondataavailable = ({ data }) => parts.push(data);
    const ended = new Promise((done) => (recorder.onstop = done));
    recorder.start();
    status.textContent = `Speak: ${RECORDED_SECONDS} seconds ...`;
    await new Promise((done) => setTimeout(done, 1000 * RECORDED_SECONDS));
    recorder.stop();
    await ended;
    return decode(await new Blob(parts).arrayBuffer(), rate);
  } finally {
    for (const track of stream.getTracks()) track.stop();
  }
}

file.addEventListener("change", () => {
  const chosen = file.files?.[0];
  if (chosen) void show(async (model) => decode(await chosen.arrayBuffer(), model.sampleRate));
});
record.addEventListener("click", () => void show((model) => microphone(model.sampleRate)));
opening.then(
  ({ device }) => (status.textContent = `Ready, on ${device}. Choose a file or record.`),
  (error: Error) => (status.textContent = `The model could not be opened: ${error.message}`),
);
