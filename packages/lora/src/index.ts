export { loraAdapter, loraNames, type LoraAdapter, type LoraBase } from "./adapter.ts";
export { loraConfig, loraConfigText, LORA_DEFAULTS, readLoraConfig, type LoraConfig } from "./config.ts";
export { loraTargets, type LoraTarget } from "./targets.ts";
