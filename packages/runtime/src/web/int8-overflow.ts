/** @file The same question of a page: WebAssembly's products are made of 16-bit factors and added in 32 bits. */

/** Never. */
export const int8Overflows = async (): Promise<boolean> => false;
