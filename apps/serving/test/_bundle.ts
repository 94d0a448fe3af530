/** @file A small trained-like bundle for tests: the tiny backbone of this repository with random adapter and projector. */
