/** @file What the environment says about the launcher: how many ranks it started, and whose library fits it. */
import type { MpiAbiName } from "./mpi-libraries.ts";

/** A job of several processes, as its launcher announces it. */
export interface Launch {
  /** The variable that said so. */
  readonly variable: string;
  readonly size: number;
  /** Libraries to try, the launcher's own first. */
  readonly libraries: readonly MpiAbiName[];
}

const LAUNCHERS: readonly { readonly variable: string; readonly libraries: readonly MpiAbiName[] }[] = [
  { variable: "OMPI_COMM_WORLD_SIZE", libraries: ["openmpi"] },
  // MPICH's Hydra, Intel MPI; an MPICH of version 5 also brings the standard's library.
  { variable: "PMI_SIZE", libraries: ["mpich", "abi"] },
  // Slurm starts whatever the site has.
  { variable: "SLURM_STEP_NUM_TASKS", libraries: ["openmpi", "mpich", "abi"] },
];

/** The job that this process is a part of; undefined when it was started alone. */
export function launchOf(env: Readonly<Record<string, string | undefined>>): Launch | undefined {
  for (const { variable, libraries } of LAUNCHERS) {
    const size = Number(env[variable]);
    if (!Number.isInteger(size) || size < 1) continue;
    // A batch script's own step has one task and no launcher.
    if (size === 1 && variable.startsWith("SLURM")) continue;
    return { variable, size, libraries };
  }
  return undefined;
}
