// The inner loops of spectral analysis, in AssemblyScript: `npm run build:wasm` turns this file into src/generated/spectra-wasm.ts.
// All arrays are f64 unless a name says otherwise; pointers are bytes; `s` and `lanes` are even, so that two frames share one vector.

@inline function at(pointer: usize): v128 { return v128.load(pointer); }
@inline function add(a: v128, b: v128): v128 { return f64x2.add(a, b); }
@inline function sub(a: v128, b: v128): v128 { return f64x2.sub(a, b); }
@inline function mul(a: v128, b: v128): v128 { return f64x2.mul(a, b); }

/** Stores (tr + i ti) * (c + i d). */
@inline function put(yr: usize, yi: usize, offset: usize, tr: v128, ti: v128, c: v128, d: v128): void {
  v128.store(yr + offset, sub(mul(tr, c), mul(ti, d)));
  v128.store(yi + offset, add(mul(tr, d), mul(ti, c)));
}

/** Stockham passes: `m` butterflies of neighbours `s` values apart; `tw` holds cos and sin for each of the radix outputs of each p. */
export function pass2(m: i32, s: i32, tw: usize, xr: usize, xi: usize, yr: usize, yi: usize): void {
  const row = <usize>s << 3;
  const far = row * m;
  for (let p = 0; p < m; p++) {
    const c = v128.load64_splat(tw + (<usize>p << 5) + 16);
    const d = v128.load64_splat(tw + (<usize>p << 5) + 24);
    const y = row * 2 * p;
    const from = row * p;
    for (let q: usize = 0; q < row; q += 16) {
      const a = from + q;
      const ar = at(xr + a), ai = at(xi + a), br = at(xr + a + far), bi = at(xi + a + far);
      v128.store(yr + y + q, add(ar, br));
      v128.store(yi + y + q, add(ai, bi));
      put(yr, yi, y + q + row, sub(ar, br), sub(ai, bi), c, d);
    }
  }
}

export function pass3(m: i32, s: i32, tw: usize, xr: usize, xi: usize, yr: usize, yi: usize): void {
  const row = <usize>s << 3;
  const far = row * m;
  const half = f64x2.splat(-0.5), sine = f64x2.splat(0.8660254037844386);
  for (let p = 0; p < m; p++) {
    const w = tw + <usize>p * 48;
    const c1 = v128.load64_splat(w + 16), d1 = v128.load64_splat(w + 24);
    const c2 = v128.load64_splat(w + 32), d2 = v128.load64_splat(w + 40);
    const y = row * 3 * p;
    const from = row * p;
    for (let q: usize = 0; q < row; q += 16) {
      const a = from + q, b = a + far, c = b + far;
      const ar = at(xr + a), ai = at(xi + a);
      const sr = add(at(xr + b), at(xr + c)), si = add(at(xi + b), at(xi + c));
      const nr = mul(sine, sub(at(xr + b), at(xr + c))), ni = mul(sine, sub(at(xi + b), at(xi + c)));
      const mr = add(ar, mul(half, sr)), mi = add(ai, mul(half, si));
      v128.store(yr + y + q, add(ar, sr));
      v128.store(yi + y + q, add(ai, si));
      put(yr, yi, y + q + row, add(mr, ni), sub(mi, nr), c1, d1);
      put(yr, yi, y + q + row * 2, sub(mr, ni), add(mi, nr), c2, d2);
    }
  }
}

export function pass4(m: i32, s: i32, tw: usize, xr: usize, xi: usize, yr: usize, yi: usize): void {
  const row = <usize>s << 3;
  const far = row * m;
  for (let p = 0; p < m; p++) {
    const w = tw + (<usize>p << 6);
    const c1 = v128.load64_splat(w + 16), d1 = v128.load64_splat(w + 24);
    const c2 = v128.load64_splat(w + 32), d2 = v128.load64_splat(w + 40);
    const c3 = v128.load64_splat(w + 48), d3 = v128.load64_splat(w + 56);
    const y = row * 4 * p;
    const from = row * p;
    for (let q: usize = 0; q < row; q += 16) {
      const a = from + q, b = a + far, c = b + far, d = c + far;
      const ar = at(xr + a), ai = at(xi + a), br = at(xr + b), bi = at(xi + b);
      const cr = at(xr + c), ci = at(xi + c), dr = at(xr + d), di = at(xi + d);
      const acr = add(ar, cr), aci = add(ai, ci), amr = sub(ar, cr), ami = sub(ai, ci);
      const bdr = add(br, dr), bdi = add(bi, di), bmr = sub(bi, di), bmi = sub(dr, br);
      const z = y + q;
      v128.store(yr + z, add(acr, bdr));
      v128.store(yi + z, add(aci, bdi));
      put(yr, yi, z + row, add(amr, bmr), add(ami, bmi), c1, d1);
      put(yr, yi, z + row * 2, sub(acr, bdr), sub(aci, bdi), c2, d2);
      put(yr, yi, z + row * 3, sub(amr, bmr), sub(ami, bmi), c3, d3);
    }
  }
}

export function pass5(m: i32, s: i32, tw: usize, xr: usize, xi: usize, yr: usize, yi: usize): void {
  const row = <usize>s << 3;
  const far = row * m;
  const cos1 = f64x2.splat(0.30901699437494745), cos2 = f64x2.splat(-0.8090169943749475);
  const sin1 = f64x2.splat(0.9510565162951535), sin2 = f64x2.splat(0.5877852522924731);
  for (let p = 0; p < m; p++) {
    const w = tw + <usize>p * 80;
    const from = row * p;
    const y = row * 5 * p;
    for (let q: usize = 0; q < row; q += 16) {
      const a = from + q, b = a + far, c = b + far, d = c + far, e = d + far;
      const ar = at(xr + a), ai = at(xi + a);
      const t1r = add(at(xr + b), at(xr + e)), t1i = add(at(xi + b), at(xi + e));
      const t3r = sub(at(xr + b), at(xr + e)), t3i = sub(at(xi + b), at(xi + e));
      const t2r = add(at(xr + c), at(xr + d)), t2i = add(at(xi + c), at(xi + d));
      const t4r = sub(at(xr + c), at(xr + d)), t4i = sub(at(xi + c), at(xi + d));
      const m1r = add(ar, add(mul(cos1, t1r), mul(cos2, t2r))), m1i = add(ai, add(mul(cos1, t1i), mul(cos2, t2i)));
      const m2r = add(ar, add(mul(cos2, t1r), mul(cos1, t2r))), m2i = add(ai, add(mul(cos2, t1i), mul(cos1, t2i)));
      const n1r = add(mul(sin1, t3r), mul(sin2, t4r)), n1i = add(mul(sin1, t3i), mul(sin2, t4i));
      const n2r = sub(mul(sin2, t3r), mul(sin1, t4r)), n2i = sub(mul(sin2, t3i), mul(sin1, t4i));
      const z = y + q;
      v128.store(yr + z, add(ar, add(t1r, t2r)));
      v128.store(yi + z, add(ai, add(t1i, t2i)));
      put(yr, yi, z + row, add(m1r, n1i), sub(m1i, n1r), v128.load64_splat(w + 16), v128.load64_splat(w + 24));
      put(yr, yi, z + row * 2, add(m2r, n2i), sub(m2i, n2r), v128.load64_splat(w + 32), v128.load64_splat(w + 40));
      put(yr, yi, z + row * 3, sub(m2r, n2i), add(m2i, n2r), v128.load64_splat(w + 48), v128.load64_splat(w + 56));
      put(yr, yi, z + row * 4, sub(m1r, n1i), add(m1i, n1r), v128.load64_splat(w + 64), v128.load64_splat(w + 72));
    }
  }
}

/** Any radix by the definition; `roots` holds cos and sin of the radix-th roots of unity. */
export function passAny(radix: i32, m: i32, s: i32, tw: usize, roots: usize, xr: usize, xi: usize, yr: usize, yi: usize): void {
  const row = <usize>s << 3;
  for (let p = 0; p < m; p++)
    for (let k = 0; k < radix; k++) {
      const w = tw + (<usize>(p * radix + k) << 4);
      const c = v128.load64_splat(w), d = v128.load64_splat(w + 8);
      const y = row * (radix * p + k);
      for (let q: usize = 0; q < row; q += 16) {
        let tr = f64x2.splat(0), ti = f64x2.splat(0);
        let r = 0;
        for (let j = 0; j < radix; j++) {
          const x = q + row * (p + m * j);
          const wr = v128.load64_splat(roots + (<usize>r << 4)), wi = v128.load64_splat(roots + (<usize>r << 4) + 8);
          tr = add(tr, sub(mul(at(xr + x), wr), mul(at(xi + x), wi)));
          ti = add(ti, add(mul(at(xr + x), wi), mul(at(xi + x), wr)));
          r += k;
          if (r >= radix) r -= radix;
        }
        put(yr, yi, y + q, tr, ti, c, d);
      }
    }
}

/** `input` [2 length, lanes] to even rows in xr and odd rows in xi. */
export function pack(input: usize, xr: usize, xi: usize, length: i32, lanes: i32): void {
  const row = <usize>lanes << 3;
  for (let n = 0; n < length; n++)
    for (let q: usize = 0; q < row; q += 16) {
      v128.store(xr + row * n + q, at(input + row * 2 * n + q));
      v128.store(xi + row * n + q, at(input + row * (2 * n + 1) + q));
    }
}

/** The spectrum of a real signal from that of its even and odd samples; `tw` holds cos and sin of 2 pi k / size, halved. */
export function unpack(zr: usize, zi: usize, re: usize, im: usize, tw: usize, length: i32, lanes: i32, power: bool): void {
  const row = <usize>lanes << 3;
  const half = f64x2.splat(0.5);
  for (let k = 0; k <= length; k++) {
    const c = v128.load64_splat(tw + (<usize>k << 4)), d = v128.load64_splat(tw + (<usize>k << 4) + 8);
    const p = row * (k == length ? 0 : k);
    const r = row * (k == 0 ? 0 : length - k);
    for (let q: usize = 0; q < row; q += 16) {
      const pr = at(zr + p + q), pi = at(zi + p + q), rr = at(zr + r + q), ri = at(zi + r + q);
      const dr = sub(pr, rr), di = add(pi, ri);
      const xr = add(mul(half, add(pr, rr)), sub(mul(c, di), mul(d, dr)));
      const xi = sub(mul(half, sub(pi, ri)), add(mul(c, dr), mul(d, di)));
      if (power) v128.store(re + row * k + q, add(mul(xr, xr), mul(xi, xi)));
      else {
        v128.store(re + row * k + q, xr);
        v128.store(im + row * k + q, xi);
      }
    }
  }
}

/** A power spectrum [bins, 4] as the real, even signal of `size` rows whose transform is the autocorrelation. */
export function mirror(power: usize, input: usize, bins: i32, size: i32): void {
  memory.copy(input, power, <usize>bins << 5);
  for (let k = bins; k < size; k++) {
    v128.store(input + (<usize>k << 5), at(power + (<usize>(size - k) << 5)));
    v128.store(input + (<usize>k << 5) + 16, at(power + (<usize>(size - k) << 5) + 16));
  }
}

/** Four windowed frames of an f32 signal, interleaved; every frame lies inside the signal. */
export function frames(signal: usize, hop: i32, window: usize, size: i32, input: usize): void {
  const step = <usize>hop << 2;
  for (let n = 0; n < size; n++) {
    const w = v128.load64_splat(window + (<usize>n << 3));
    const x = signal + (<usize>n << 2);
    const ab = f64x2.replace_lane(f64x2.splat(<f64>load<f32>(x)), 1, <f64>load<f32>(x + step));
    const cd = f64x2.replace_lane(f64x2.splat(<f64>load<f32>(x + step * 2)), 1, <f64>load<f32>(x + step * 3));
    v128.store(input + (<usize>n << 5), mul(ab, w));
    v128.store(input + (<usize>n << 5) + 16, mul(cd, w));
  }
}

/** `out` [bands, 4]: per band the weighted sum from its first bin; `spans` holds i32 first and count per band. */
export function filterbank(power: usize, spans: usize, weights: usize, bands: i32, out: usize): void {
  for (let b = 0; b < bands; b++) {
    let x = power + (<usize>load<i32>(spans + (<usize>b << 3)) << 5);
    const count = load<i32>(spans + (<usize>b << 3) + 4);
    let low = f64x2.splat(0), high = f64x2.splat(0);
    for (let k = 0; k < count; k++) {
      const w = v128.load64_splat(weights);
      low = add(low, mul(w, at(x)));
      high = add(high, mul(w, at(x + 16)));
      weights += 8;
      x += 32;
    }
    v128.store(out + (<usize>b << 5), low);
    v128.store(out + (<usize>b << 5) + 16, high);
  }
}

/** Natural logarithm of `max(floor, x)` times `scale`, in place; relative error below 1e-11. `floor` is a normal positive number. */
export function logarithm(values: usize, count: i32, floor: f64, scale: f64): void {
  const least = f64x2.splat(floor), one = f64x2.splat(1), factor = f64x2.splat(scale * 2);
  const ln2 = f64x2.splat(0.34657359027997264 * scale * 2);
  for (let end = values + (<usize>count << 3); values < end; values += 16) {
    const x = f64x2.max(least, at(values));
    // shift the mantissa's range to sqrt(1/2) .. sqrt(2)
    const shifted = i64x2.sub(x, i64x2.splat(0x3fe6a09e667f3bcd));
    const exponent = i64x2.shr_s(shifted, 52);
    const m = i64x2.sub(x, i64x2.shl(exponent, 52));
    const e = f64x2.replace_lane(f64x2.splat(<f64>i64x2.extract_lane(exponent, 0)), 1, <f64>i64x2.extract_lane(exponent, 1));
    const z = f64x2.div(sub(m, one), add(m, one));
    const y = mul(z, z);
    let sum = f64x2.splat(1.0 / 15);
    sum = add(mul(sum, y), f64x2.splat(1.0 / 13));
    sum = add(mul(sum, y), f64x2.splat(1.0 / 11));
    sum = add(mul(sum, y), f64x2.splat(1.0 / 9));
    sum = add(mul(sum, y), f64x2.splat(1.0 / 7));
    sum = add(mul(sum, y), f64x2.splat(0.2));
    sum = add(mul(sum, y), f64x2.splat(1.0 / 3));
    sum = add(mul(sum, y), one);
    v128.store(values, add(mul(e, ln2), mul(factor, mul(z, sum))));
  }
}
