// The 88 eGeMAPS functionals of sound files and how the voices sound, one JSON line each.
//   tsx main.ts turn.wav call.mp3 ...      without files: one second that this script makes itself
import { egemaps, encodeWav, loadSpeech, measureVoice } from "@emosllm/audio-features";

/** A second of a voice-like tone that falls from 220 to 180 Hz, as a WAV file in memory. */
function tone(): Uint8Array {
  const samples = new Float32Array(16000);
  let phase = 0;
  for (let i = 0; i < samples.length; i++) {
    phase += (2 * Math.PI * (220 - (40 * i) / samples.length)) / 16000;
    for (let h = 1; h <= 12; h++) samples[i]! += (0.3 / h) * Math.sin(h * phase);
  }
  return encodeWav({ samples: [samples], sampleRate: 16000 });
}

const files = process.argv.slice(2);
for (const [name, source] of files.length > 0 ? files.map((f) => [f, f] as const) : [["tone", tone()] as const]) {
  const samples = await loadSpeech(source, { sampleRate: 16000 }); // any format, any rate, any channels
  const functionals = egemaps(samples, 16000); // a Map: 88 names and values
  const voice = measureVoice(samples, 16000); // pitch in Hz, pauses, rate, ...; null where a clip allows no reliable measure
  const some = ["F0semitoneFrom27.5Hz_sma3nz_amean", "alphaRatioV_sma3nz_amean", "loudness_sma3_amean"];
  const shown = Object.fromEntries(some.map((n) => [n, Number(functionals.get(n)!.toFixed(1))]));
  console.log(
    JSON.stringify({ name, of: functionals.size, ...shown, pitch: voice.pitchLevel && Math.round(voice.pitchLevel) }),
  );
}
