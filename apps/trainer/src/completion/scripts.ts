/** @file Completion scripts. All names are ours (lower case, hyphens), so that only descriptions need quoting. */
import type { CommandEntry } from "./tree.ts";

/** Shells that a script can be made for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;
/** One of {@link SHELLS}. */
export type Shell = (typeof SHELLS)[number];

/** The script, ready to be read by the shell. */
export const completionScript = (shell: Shell, tree: readonly CommandEntry[]): string => SCRIPTS[shell](tree);

const words = ({ commands, options }: CommandEntry): string[] => [
  ...commands.map((c) => c.name),
  ...options.map((o) => o.name),
  "--help",
];
/** One line, no longer than a terminal shows. */
const short = (about: string): string => about.split("\n")[0]!.slice(0, 100);

const SCRIPTS: { readonly [K in Shell]: (tree: readonly CommandEntry[]) => string } = {
  bash: (tree) => `# emosllm completion for bash: source <(emosllm completion bash), in ~/.bashrc for good.
_emosllm() {
  local word="\${COMP_WORDS[COMP_CWORD]}" path="" w i
  for ((i = 1; i < COMP_CWORD; i++)); do
    w="\${COMP_WORDS[i]}"
    case "$path $w" in
${tree
  .filter((c) => c.path !== "")
  .map((c) => `      "${["", ...c.path.split(" ")].join(" ")}") path=" ${c.path}" ;;`)
  .join("\n")}
    esac
  done
  local known=""
  case "$path" in
${tree.map((c) => `    "${c.path === "" ? "" : ` ${c.path}`}") known="${words(c).join(" ")}" ;;`).join("\n")}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$known" -- "$word")
  if [[ \${#COMPREPLY[@]} -eq 0 && "$word" != -* ]]; then mapfile -t COMPREPLY < <(compgen -f -- "$word"); fi
}
complete -o filenames -F _emosllm emosllm
`,
  zsh: (tree) => `#compdef emosllm
# emosllm completion for zsh: emosllm completion zsh > "\${fpath[1]}/_emosllm", then start a new shell.
_emosllm() {
  local path="" w
  local -a known
  for w in "\${words[@]:1:$((CURRENT - 2))}"; do
    case "$path $w" in
${tree
  .filter((c) => c.path !== "")
  .map((c) => `      ("${["", ...c.path.split(" ")].join(" ")}") path=" ${c.path}" ;;`)
  .join("\n")}
    esac
  done
  case "$path" in
${tree
  .map((c) => {
    const entries = [...c.commands, ...c.options].map(({ name, about }) => `'${name}:${zshQuoted(short(about))}'`);
    return `    ("${c.path === "" ? "" : ` ${c.path}`}") known=(${entries.join(" ")} '--help:what it does') ;;`;
  })
  .join("\n")}
  esac
  _describe 'emosllm' known || _files
}
if [ "$funcstack[1]" = "_emosllm" ]; then _emosllm "$@"; else compdef _emosllm emosllm; fi
`,
  fish: (tree) => `# emosllm completion for fish: emosllm completion fish > ~/.config/fish/completions/emosllm.fish
function __emosllm_at
  set -l path
  set -l words (commandline -opc)
  for w in $words[2..-1]
    switch "$path $w"
${tree
  .filter((c) => c.path !== "")
  .map((c) => `      case "${["", ...c.path.split(" ")].join(" ")}"\n        set path " ${c.path}"`)
  .join("\n")}
    end
  end
  test "$path" = "$argv[1]"
end
${tree
  .flatMap((c) => {
    const here = `complete -c emosllm -n "__emosllm_at '${c.path === "" ? "" : ` ${c.path}`}'"`;
    return [
      ...c.commands.map(({ name, about }) => `${here} -f -a ${name} -d '${fishQuoted(short(about))}'`),
      ...c.options.map(
        ({ name, about, takesValue }) =>
          `${here} -l ${name.slice(2)}${takesValue ? " -r" : ""} -d '${fishQuoted(short(about))}'`,
      ),
    ];
  })
  .join("\n")}
`,
};

const zshQuoted = (text: string): string => text.replaceAll(":", "\\:").replaceAll("'", "'\\''");
const fishQuoted = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("'", "\\'");
