import { readdirSync } from "node:fs";
import { defineConfig } from "vitepress";

const root = new URL("../../", import.meta.url);
const packages = readdirSync(new URL("packages", root)).sort();

export default defineConfig({
  title: "EmoSLLM for TypeScript",
  description: "Speech-emotion language models: train, test and serve them from TypeScript",
  // Where the site lies: `/NAME/` on a repository's pages.
  base: process.env["DOCS_BASE"] ?? "/",
  cleanUrls: true,
  themeConfig: {
    search: { provider: "local" },
    nav: [
      { text: "Start", link: "/start" },
      { text: "Guides", link: "/guides/iemocap" },
      { text: "Packages", link: "/packages/audio-features" },
      { text: "API", link: "/api/" },
    ],
    sidebar: [
      {
        text: "Begin",
        items: [
          { text: "Start", link: "/start" },
          { text: "Concepts", link: "/concepts" },
          { text: "How the engine works", link: "/engine" },
        ],
      },
      {
        text: "Guides",
        items: [
          { text: "IEMOCAP, from the release to a table", link: "/guides/iemocap" },
          { text: "MELD with dialogue", link: "/guides/meld" },
          { text: "Your own corpus", link: "/guides/own-corpus" },
          { text: "Fine-tuning on a laptop", link: "/guides/laptop" },
          { text: "On a cluster", link: "/guides/cluster" },
          { text: "Serving", link: "/guides/serving" },
          { text: "Robustness and prompts", link: "/guides/robustness" },
        ],
      },
      {
        text: "Reference",
        items: [
          { text: "Reproducibility", link: "/reproducibility" },
          { text: "Policies", link: "/policies" },
          { text: "API", link: "/api/" },
        ],
      },
      {
        text: "Packages",
        collapsed: true,
        items: [...packages, "trainer", "serving"].map((name) => ({ text: name, link: `/packages/${name}` })),
      },
    ],
  },
});
