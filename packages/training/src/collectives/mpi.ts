/** @file The site's MPI library, called through koffi: no way out that leaves the other ranks waiting. */
import { EmosllmError } from "@emosllm/interfaces";
import type { Collective } from "./collective.ts";
import { oneProcess } from "./collective.ts";
import { type Launch, launchOf } from "./launcher.ts";
import { MPI_ABIS, type MpiAbi, type MpiAbiName, type NativeFunction, type NativeLibrary } from "./mpi-libraries.ts";

/** How long what a process wrote has to reach the launcher. */
const LAST_WORDS_MS = 200;

type Koffi = { load(file: string): NativeLibrary };

/** Name of the variable that holds the path of an MPI library. */
export const MPI_LIBRARY = "EMOSLLM_MPI_LIBRARY";

/**
 * The processes of this job: those that `mpirun`, `mpiexec` or `srun --mpi=pmix` started, or this one alone. Throws EmosllmError
 * `device_unavailable` when there are several and MPI cannot be loaded, or a library that does not belong to the launcher answers.
 */
export async function openCollective(
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Collective> {
  const launch = launchOf(env);
  return launch ? openMpi(launch, env[MPI_LIBRARY]) : oneProcess;
}

async function openMpi(launch: Launch, override: string | undefined): Promise<Collective> {
  const koffi = await import("koffi").then(
    (m) => (m.default ?? m) as unknown as Koffi,
    (cause: unknown) => {
      throw new EmosllmError(
        "device_unavailable",
        `${launch.variable}=${launch.size}: several processes were started, which takes the package koffi. Install it: npm install koffi`,
        { cause },
      );
    },
  );
  const { library, abi } = findLibrary(koffi, launch, override);
  const handles = abi.handles(library);
  const call = (signature: string): NativeFunction => library.func(signature.replaceAll("HANDLE", abi.handle));
  const checked = (name: string, code: number): void => {
    if (code !== 0) throw new EmosllmError("runtime_failed", `${name} failed with the code ${code} (${abi.name}).`);
  };
  checked("MPI_Init_thread", call("int MPI_Init_thread(void*, void*, int, _Out_ int*)")(null, null, abi.threadMultiple, [0])); // prettier-ignore
  const number = (name: "MPI_Comm_rank" | "MPI_Comm_size"): number => {
    const out = [0];
    checked(name, call(`int ${name}(HANDLE, _Out_ int*)`)(handles.world, out));
    return out[0] as number;
  };
  const [rank, size] = [number("MPI_Comm_rank"), number("MPI_Comm_size")];
  const mpiAbort = call("int MPI_Abort(HANDLE, int)");
  const finalise = call("int MPI_Finalize(void)");
  if (size !== launch.size) {
    // Another MPI's launcher: each process is alone in a world of its own.
    finalise();
    throw new EmosllmError(
      "device_unavailable",
      `${launch.variable} says ${launch.size} processes, but ${abi.name} sees ${size}: the launcher belongs to another MPI. ` +
        `Start the job with ${abi.name}'s own mpirun, or name the launcher's library: ${MPI_LIBRARY}=/path/to/libmpi.so`,
    );
  }

  let open = true;
  const abort = (code: number): void => {
    if (!open) return;
    open = false;
    // MPICH's launcher throws away what it has not read from a process that aborts: why it does, for one.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LAST_WORDS_MS);
    mpiAbort(handles.world, code);
  };
  // MPICH calls a job of which one rank left early a success, and Open MPI lets the others wait: neither may happen.
  const atExit = (code: number): void => abort(code === 0 ? 1 : code);
  process.on("exit", atExit);
  // Aborting ends this process too, before Node would have said why.
  const lastWords = (error: unknown): void => {
    process.stderr.write(`rank ${rank}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  };
  process.on("uncaughtExceptionMonitor", lastWords);

  const allreduce = call("int MPI_Allreduce(intptr_t, void*, int, HANDLE, HANDLE, HANDLE)");
  const bcast = call("int MPI_Bcast(void*, int, HANDLE, int, HANDLE)");
  const barrier = call("int MPI_Barrier(HANDLE)");
  /**
   * On this thread: from another one Debian's MPICH 4.0 crashes in its transport. Signals are heard between the calls, and a rank
   * that waits in one in vain is ended by its launcher.
   */
  const turn = async (name: string, f: NativeFunction, ...args: unknown[]): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    checked(name, f(...args));
  };
  return {
    rank,
    size,
    carrier: `${abi.name}, ${size} processes`,
    sum: (data) =>
      turn("MPI_Allreduce", allreduce, abi.inPlace, data, data.length, handles.float, handles.sum, handles.world),
    broadcast: (data) => turn("MPI_Bcast", bcast, data, data.length, handles.float, 0, handles.world),
    barrier: () => turn("MPI_Barrier", barrier, handles.world),
    abort,
    close: async () => {
      if (!open) return;
      await turn("MPI_Barrier", barrier, handles.world);
      open = false;
      process.off("exit", atExit);
      process.off("uncaughtExceptionMonitor", lastWords);
      checked("MPI_Finalize", finalise());
    },
  };
}

function findLibrary(
  koffi: Koffi,
  launch: Launch,
  override: string | undefined,
): { readonly library: NativeLibrary; readonly abi: MpiAbi } {
  const tried: string[] = [];
  // UCX, below MPICH and newer Open MPI, else patches the process's memory calls under the running threads of Node.js (a rank died of it in
  // V8, once in dozens of runs); it watches memory for the sake of network cards that register it.
  for (const hook of ["UCX_MEM_EVENTS", "UCX_MEM_MALLOC_HOOKS"]) process.env[hook] ??= "no";
  process.env["UCX_MEM_MMAP_HOOK_MODE"] ??= "none";
  const open = (file: string): NativeLibrary | undefined => {
    try {
      return koffi.load(file);
    } catch {
      tried.push(file);
      return undefined;
    }
  };
  if (override) {
    const library = open(override);
    if (library) return { library, abi: MPI_ABIS[kindOf(library, override)] };
  } else {
    for (const name of launch.libraries)
      for (const file of MPI_ABIS[name].files) {
        const library = open(file);
        if (library) return { library, abi: MPI_ABIS[name] };
      }
  }
  throw new EmosllmError(
    "device_unavailable",
    `${launch.variable}=${launch.size}: several processes were started, but no MPI library could be loaded (tried ${tried.join(", ")}). ` +
      `Install the one of the launcher (Debian: libopenmpi3 or libmpich12), or name it: ${MPI_LIBRARY}=/path/to/libmpi.so`,
  );
}

function kindOf(library: NativeLibrary, file: string): MpiAbiName {
  if (/_abi\b/.test(file)) return "abi";
  try {
    library.symbol("ompi_mpi_comm_world");
    return "openmpi";
  } catch {
    return "mpich";
  }
}
