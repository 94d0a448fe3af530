/**
 * @file The kinds of MPI library there are and how each names the things of the standard: Open MPI exports them as symbols, MPICH
 * and those compatible with it (Intel MPI, Cray MPICH) as numbers, the ABI of MPI 5.0 as fixed pointer values.
 */

/** A library as koffi opens it. */
export interface NativeLibrary {
  func(signature: string): NativeFunction;
  symbol(name: string): unknown;
}
/** A C function that gives an error code. */
export type NativeFunction = (...args: unknown[]) => number;

/** What the calls need besides numbers and memory. */
export interface MpiHandles {
  readonly world: unknown;
  readonly float: unknown;
  readonly sum: unknown;
}

/** One binary interface. */
export interface MpiAbi {
  readonly name: string;
  /** File names by which the loader finds it. */
  readonly files: readonly string[];
  /** C type of communicators, element types and operations. */
  readonly handle: "void*" | "int" | "intptr_t";
  readonly handles: (library: NativeLibrary) => MpiHandles;
  /** Value of MPI_IN_PLACE. */
  readonly inPlace: bigint;
  readonly threadMultiple: number;
}

/** The interfaces by name. */
export type MpiAbiName = "openmpi" | "mpich" | "abi";

/**
 * The interfaces. The first two are tested with two and three ranks (Open MPI 4.1.4, MPICH 4.0.2); the third was run by hand with as many
 * (`libmpi_abi.so.1` of MPICH 5.0.2), which no distribution's package has yet.
 */
export const MPI_ABIS: Readonly<Record<MpiAbiName, MpiAbi>> = {
  openmpi: {
    name: "Open MPI",
    files: ["libmpi.so.40", "libmpi.40.dylib"],
    handle: "void*",
    handles: (library) => ({
      world: library.symbol("ompi_mpi_comm_world"),
      float: library.symbol("ompi_mpi_float"),
      sum: library.symbol("ompi_mpi_op_sum"),
    }),
    inPlace: 1n,
    threadMultiple: 3,
  },
  mpich: {
    name: "MPICH",
    // Debian names it after itself.
    files: ["libmpi.so.12", "libmpich.so.12", "libmpi.12.dylib", "impi.dll", "msmpi.dll"],
    handle: "int",
    handles: () => ({ world: 0x44000000, float: 0x4c00040a, sum: 0x58000003 }),
    inPlace: -1n,
    threadMultiple: 3,
  },
  abi: {
    name: "MPI 5 ABI",
    files: ["libmpi_abi.so.1", "libmpi_abi.1.dylib"],
    handle: "intptr_t",
    handles: () => ({ world: 0x101n, float: 0x210n, sum: 0x21n }),
    inPlace: 1n,
    threadMultiple: 4096,
  },
};
