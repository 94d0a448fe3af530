/** @file The Python that opponents run in: that it has what they need is found out before anything is measured. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** What to install for a module that has another name. */
const PACKAGES: Readonly<Record<string, string>> = { llama_cpp: "llama-cpp-python" };

/** Throws an error that says what to install where `python` cannot import one of `modules`. `command`: the benchmark to call again. */
export async function needPython(python: string, modules: readonly string[], command: string): Promise<void> {
  try {
    await promisify(execFile)(python, ["-c", `import ${modules.join(", ")}`]);
  } catch (cause) {
    const packages = modules.map((m) => PACKAGES[m] ?? m).join(" ");
    throw new Error(
      `'${python}' cannot import ${modules.join(", ")}. Make an environment with them and name its Python:\n` +
        `  python3 -m venv .venv && .venv/bin/pip install ${packages}\n` +
        `  npm run bench -- ${command} --python .venv/bin/python`,
      { cause },
    );
  }
}
