// The inner loops of spectral analysis, in AssemblyScript: `npm run build:wasm` turns this file into src/generated/spectra-wasm.ts.
// Loops over `T` exist for f64 and, with a name that ends in 32, for f32; others hold f64 unless a name says otherwise. Pointers are bytes;
// `s` and `lanes` are multiples of the values in a vector (2 of f64, 4 of f32), so that frames side by side share one.

@inline function at(pointer: usize): v128 { return v128.load(pointer); }
@inline function add<T>(a: v128, b: v128): v128 { return v128.add<T>(a, b); }
@inline function sub<T>(a: v128, b: v128): v128 { return v128.sub<T>(a, b); }
@inline function mul<T>(a: v128, b: v128): v128 { return v128.mul<T>(a, b); }
/** Value `index` of an array of T in every lane. */
@inline function each<T>(pointer: usize, index: usize): v128 { return v128.load_splat<T>(pointer + index * sizeof<T>()); }

/** Stores (tr + i ti) * (c + i d). */
@inline function put<T>(yr: usize, yi: usize, offset: usize, tr: v128, ti: v128, c: v128, d: v128): void {
  v128.store(yr + offset, sub<T>(mul<T>(tr, c), mul<T>(ti, d)));
  v128.store(yi + offset, add<T>(mul<T>(tr, d), mul<T>(ti, c)));
}

/** Stores a result of a pass, times the twiddle at `index` of `w` unless that is 1. */
@inline function out<T>(unit: bool, yr: usize, yi: usize, offset: usize, tr: v128, ti: v128, w: usize, index: usize): void {
  if (unit) {
    v128.store(yr + offset, tr);
    v128.store(yi + offset, ti);
  } else put<T>(yr, yi, offset, tr, ti, each<T>(w, index), each<T>(w, index + 1));
}

/** Stockham passes: `m` butterflies of neighbours `s` values apart; `tw` holds cos and sin for each of the radix outputs of each p. */
function pass2Of<T>(m: i32, s: i32, tw: usize, xr: usize, xi: usize, yr: usize, yi: usize): void {
  const row = <usize>s * sizeof<T>();
  const far = row * m;
  for (let p = 0; p < m; p++) {
    const c = each<T>(tw, (<usize>p << 2) + 2);
    const d = each<T>(tw, (<usize>p << 2) + 3);
    const y = row * 2 * p;
    const from = row * p;
    for (let q: usize = 0; q < row; q += 16) {
      const a = from + q;
      const ar = at(xr + a), ai = at(xi + a), br = at(xr + a + far), bi = at(xi + a + far);
      v128.store(yr + y + q, add<T>(ar, br));
      v128.store(yi + y + q, add<T>(ai, bi));
      put<T>(yr, yi, y + q + row, sub<T>(ar, br), sub<T>(ai, bi), c, d);
    }
  }
}

function pass3Of<T>(m: i32, s: i32, tw: usize, xr: usize, xi: usize, yr: usize, yi: usize): void {
  const row = <usize>s * sizeof<T>();
  const far = row * m;
  const half = v128.splat<T>(<T>-0.5), sine = v128.splat<T>(<T>0.8660254037844386);
  for (let p = 0; p < m; p++) {
    const w = tw + <usize>p * 6 * sizeof<T>();
    const c1 = each<T>(w, 2), d1 = each<T>(w, 3);
    const c2 = each<T>(w, 4), d2 = each<T>(w, 5);
    const y = row * 3 * p;
    const from = row * p;
    for (let q: usize = 0; q < row; q += 16) {
      const a = from + q, b = a + far, c = b + far;
      const ar = at(xr + a), ai = at(xi + a);
      const sr = add<T>(at(xr + b), at(xr + c)), si = add<T>(at(xi + b), at(xi + c));
      const nr = mul<T>(sine, sub<T>(at(xr + b), at(xr + c))), ni = mul<T>(sine, sub<T>(at(xi + b), at(xi + c)));
      const mr = add<T>(ar, mul<T>(half, sr)), mi = add<T>(ai, mul<T>(half, si));
      v128.store(yr + y + q, add<T>(ar, sr));
      v128.store(yi + y + q, add<T>(ai, si));
      put<T>(yr, yi, y + q + row, add<T>(mr, ni), sub<T>(mi, nr), c1, d1);
      put<T>(yr, yi, y + q + row * 2, sub<T>(mr, ni), add<T>(mi, nr), c2, d2);
    }
  }
}

function pass4Of<T>(m: i32, s: i32, tw: usize, xr: usize, xi: usize, yr: usize, yi: usize): void {
  const row = <usize>s * sizeof<T>();
  const far = row * m;
  for (let p = 0; p < m; p++) {
    const w = tw + <usize>p * 8 * sizeof<T>();
    const c1 = each<T>(w, 2), d1 = each<T>(w, 3);
    const c2 = each<T>(w, 4), d2 = each<T>(w, 5);
    const c3 = each<T>(w, 6), d3 = each<T>(w, 7);
    const y = row * 4 * p;
    const from = row * p;
    for (let q: usize = 0; q < row; q += 16) {
      const a = from + q, b = a + far, c = b + far, d = c + far;
      const ar = at(xr + a), ai = at(xi + a), br = at(xr + b), bi = at(xi + b);
      const cr = at(xr + c), ci = at(xi + c), dr = at(xr + d), di = at(xi + d);
      const acr = add<T>(ar, cr), aci = add<T>(ai, ci), amr = sub<T>(ar, cr), ami = sub<T>(ai, ci);
      const bdr = add<T>(br, dr), bdi = add<T>(bi, di), bmr = sub<T>(bi, di), bmi = sub<T>(dr, br);
      const z = y + q;
      v128.store(yr + z, add<T>(acr, bdr));
      v128.store(yi + z, add<T>(aci, bdi));
      put<T>(yr, yi, z + row, add<T>(amr, bmr), add<T>(ami, bmi), c1, d1);
      put<T>(yr, yi, z + row * 2, sub<T>(acr, bdr), sub<T>(aci, bdi), c2, d2);
      put<T>(yr, yi, z + row * 3, sub<T>(amr, bmr), sub<T>(ami, bmi), c3, d3);
    }
  }
}

/** One `p` of a radix 5 pass; `unit`: its twiddles are 1. */
@inline function rows5<T>(unit: bool, p: i32, row: usize, far: usize, tw: usize, xr: usize, xi: usize, yr: usize, yi: usize): void {
  const cos1 = v128.splat<T>(<T>0.30901699437494745), cos2 = v128.splat<T>(<T>-0.8090169943749475);
  const sin1 = v128.splat<T>(<T>0.9510565162951535), sin2 = v128.splat<T>(<T>0.5877852522924731);
  const w = tw + <usize>p * 10 * sizeof<T>();
  const from = row * p;
  const y = row * 5 * p;
  for (let q: usize = 0; q < row; q += 16) {
    const a = from + q, b = a + far, c = b + far, d = c + far, e = d + far;
    const ar = at(xr + a), ai = at(xi + a);
    const t1r = add<T>(at(xr + b), at(xr + e)), t1i = add<T>(at(xi + b), at(xi + e));
    const t3r = sub<T>(at(xr + b), at(xr + e)), t3i = sub<T>(at(xi + b), at(xi + e));
    const t2r = add<T>(at(xr + c), at(xr + d)), t2i = add<T>(at(xi + c), at(xi + d));
    const t4r = sub<T>(at(xr + c), at(xr + d)), t4i = sub<T>(at(xi + c), at(xi + d));
    const m1r = add<T>(ar, add<T>(mul<T>(cos1, t1r), mul<T>(cos2, t2r))), m1i = add<T>(ai, add<T>(mul<T>(cos1, t1i), mul<T>(cos2, t2i)));
    const m2r = add<T>(ar, add<T>(mul<T>(cos2, t1r), mul<T>(cos1, t2r))), m2i = add<T>(ai, add<T>(mul<T>(cos2, t1i), mul<T>(cos1, t2i)));
    const n1r = add<T>(mul<T>(sin1, t3r), mul<T>(sin2, t4r)), n1i = add<T>(mul<T>(sin1, t3i), mul<T>(sin2, t4i));
    const n2r = sub<T>(mul<T>(sin2, t3r), mul<T>(sin1, t4r)), n2i = sub<T>(mul<T>(sin2, t3i), mul<T>(sin1, t4i));
    const z = y + q;
    v128.store(yr + z, add<T>(ar, add<T>(t1r, t2r)));
    v128.store(yi + z, add<T>(ai, add<T>(t1i, t2i)));
    out<T>(unit, yr, yi, z + row, add<T>(m1r, n1i), sub<T>(m1i, n1r), w, 2);
    out<T>(unit, yr, yi, z + row * 2, add<T>(m2r, n2i), sub<T>(m2i, n2r), w, 4);
    out<T>(unit, yr, yi, z + row * 3, sub<T>(m2r, n2i), add<T>(m2i, n2r), w, 6);
    out<T>(unit, yr, yi, z + row * 4, sub<T>(m1r, n1i), add<T>(m1i, n1r), w, 8);
  }
}

function pass5Of<T>(m: i32, s: i32, tw: usize, xr: usize, xi: usize, yr: usize, yi: usize): void {
  const row = <usize>s * sizeof<T>();
  rows5<T>(true, 0, row, row * m, tw, xr, xi, yr, yi);
  for (let p = 1; p < m; p++) rows5<T>(false, p, row, row * m, tw, xr, xi, yr, yi);
}

/** One `p` of a radix 8 pass: transforms of the even and of the odd inputs, then the eighth roots of unity. */
@inline function rows8<T>(unit: bool, p: i32, row: usize, far: usize, tw: usize, xr: usize, xi: usize, yr: usize, yi: usize): void {
  const root = v128.splat<T>(<T>0.7071067811865476);
  const w = tw + <usize>p * 16 * sizeof<T>();
  const from = row * p;
  const y = row * 8 * p;
  for (let q: usize = 0; q < row; q += 16) {
    let a = from + q, b = a + far * 2, c = b + far * 2, d = c + far * 2;
    let sr = add<T>(at(xr + a), at(xr + c)), si = add<T>(at(xi + a), at(xi + c));
    let ur = sub<T>(at(xr + a), at(xr + c)), ui = sub<T>(at(xi + a), at(xi + c));
    let tr = add<T>(at(xr + b), at(xr + d)), ti = add<T>(at(xi + b), at(xi + d));
    let vr = sub<T>(at(xi + b), at(xi + d)), vi = sub<T>(at(xr + d), at(xr + b));
    const e0r = add<T>(sr, tr), e0i = add<T>(si, ti), e2r = sub<T>(sr, tr), e2i = sub<T>(si, ti);
    const e1r = add<T>(ur, vr), e1i = add<T>(ui, vi), e3r = sub<T>(ur, vr), e3i = sub<T>(ui, vi);
    a += far;
    b += far;
    c += far;
    d += far;
    sr = add<T>(at(xr + a), at(xr + c));
    si = add<T>(at(xi + a), at(xi + c));
    ur = sub<T>(at(xr + a), at(xr + c));
    ui = sub<T>(at(xi + a), at(xi + c));
    tr = add<T>(at(xr + b), at(xr + d));
    ti = add<T>(at(xi + b), at(xi + d));
    vr = sub<T>(at(xi + b), at(xi + d));
    vi = sub<T>(at(xr + d), at(xr + b));
    const o0r = add<T>(sr, tr), o0i = add<T>(si, ti), o2r = sub<T>(si, ti), o2i = sub<T>(tr, sr);
    let fr = add<T>(ur, vr), fi = add<T>(ui, vi), gr = sub<T>(ur, vr), gi = sub<T>(ui, vi);
    const o1r = mul<T>(root, add<T>(fr, fi)), o1i = mul<T>(root, sub<T>(fi, fr));
    const o3r = mul<T>(root, sub<T>(gi, gr)), o3i = mul<T>(root, add<T>(gi, gr));
    const z = y + q;
    v128.store(yr + z, add<T>(e0r, o0r));
    v128.store(yi + z, add<T>(e0i, o0i));
    out<T>(unit, yr, yi, z + row, add<T>(e1r, o1r), add<T>(e1i, o1i), w, 2);
    out<T>(unit, yr, yi, z + row * 2, add<T>(e2r, o2r), add<T>(e2i, o2i), w, 4);
    out<T>(unit, yr, yi, z + row * 3, add<T>(e3r, o3r), sub<T>(e3i, o3i), w, 6);
    out<T>(unit, yr, yi, z + row * 4, sub<T>(e0r, o0r), sub<T>(e0i, o0i), w, 8);
    out<T>(unit, yr, yi, z + row * 5, sub<T>(e1r, o1r), sub<T>(e1i, o1i), w, 10);
    out<T>(unit, yr, yi, z + row * 6, sub<T>(e2r, o2r), sub<T>(e2i, o2i), w, 12);
    out<T>(unit, yr, yi, z + row * 7, sub<T>(e3r, o3r), add<T>(e3i, o3i), w, 14);
  }
}

function pass8Of<T>(m: i32, s: i32, tw: usize, xr: usize, xi: usize, yr: usize, yi: usize): void {
  const row = <usize>s * sizeof<T>();
  rows8<T>(true, 0, row, row * m, tw, xr, xi, yr, yi);
  for (let p = 1; p < m; p++) rows8<T>(false, p, row, row * m, tw, xr, xi, yr, yi);
}

/** Any radix by the definition; `roots` holds cos and sin of the radix-th roots of unity. */
function passAnyOf<T>(radix: i32, m: i32, s: i32, tw: usize, roots: usize, xr: usize, xi: usize, yr: usize, yi: usize): void {
  const row = <usize>s * sizeof<T>();
  for (let p = 0; p < m; p++)
    for (let k = 0; k < radix; k++) {
      const w = tw + <usize>(p * radix + k) * 2 * sizeof<T>();
      const c = each<T>(w, 0), d = each<T>(w, 1);
      const y = row * (radix * p + k);
      for (let q: usize = 0; q < row; q += 16) {
        let tr = v128.splat<T>(<T>0), ti = v128.splat<T>(<T>0);
        let r = 0;
        for (let j = 0; j < radix; j++) {
          const x = q + row * (p + m * j);
          const wr = each<T>(roots, <usize>r << 1), wi = each<T>(roots, (<usize>r << 1) + 1);
          tr = add<T>(tr, sub<T>(mul<T>(at(xr + x), wr), mul<T>(at(xi + x), wi)));
          ti = add<T>(ti, add<T>(mul<T>(at(xr + x), wi), mul<T>(at(xi + x), wr)));
          r += k;
          if (r >= radix) r -= radix;
        }
        put<T>(yr, yi, y + q, tr, ti, c, d);
      }
    }
}

/** `input` [2 length, lanes] to even rows in xr and odd rows in xi. */
function packOf<T>(input: usize, xr: usize, xi: usize, length: i32, lanes: i32): void {
  const row = <usize>lanes * sizeof<T>();
  for (let n = 0; n < length; n++)
    for (let q: usize = 0; q < row; q += 16) {
      v128.store(xr + row * n + q, at(input + row * 2 * n + q));
      v128.store(xi + row * n + q, at(input + row * (2 * n + 1) + q));
    }
}

/**
 * The spectrum of a real signal from that of its even and odd samples; `tw` holds cos and sin of 2 pi k / size, halved. Bins k and
 * length - k come from the same two values.
 */
function unpackOf<T>(zr: usize, zi: usize, re: usize, im: usize, tw: usize, length: i32, lanes: i32, power: bool): void {
  const row = <usize>lanes * sizeof<T>();
  const half = v128.splat<T>(<T>0.5);
  const last = row * length;
  for (let k = 0; k <= length >> 1; k++) {
    const c = each<T>(tw, <usize>k << 1), d = each<T>(tw, (<usize>k << 1) + 1);
    const p = row * k;
    const r = k == 0 ? 0 : last - p;
    for (let q: usize = 0; q < row; q += 16) {
      const pr = at(zr + p + q), pi = at(zi + p + q), rr = at(zr + r + q), ri = at(zi + r + q);
      const dr = sub<T>(pr, rr), di = add<T>(pi, ri);
      const sr = mul<T>(half, add<T>(pr, rr)), si = mul<T>(half, sub<T>(pi, ri));
      const tr = sub<T>(mul<T>(c, di), mul<T>(d, dr)), ti = add<T>(mul<T>(c, dr), mul<T>(d, di));
      const ar = add<T>(sr, tr), ai = sub<T>(si, ti), br = sub<T>(sr, tr), bi = add<T>(si, ti);
      const far = last - p + q;
      if (power) {
        v128.store(re + far, add<T>(mul<T>(br, br), mul<T>(bi, bi)));
        v128.store(re + p + q, add<T>(mul<T>(ar, ar), mul<T>(ai, ai)));
      } else {
        v128.store(re + far, br);
        v128.store(im + far, v128.neg<T>(bi));
        v128.store(re + p + q, ar);
        v128.store(im + p + q, ai);
      }
    }
  }
}

export function pass2(m: i32, s: i32, tw: usize, xr: usize, xi: usize, yr: usize, yi: usize): void { pass2Of<f64>(m, s, tw, xr, xi, yr, yi); }
export function pass232(m: i32, s: i32, tw: usize, xr: usize, xi: usize, yr: usize, yi: usize): void { pass2Of<f32>(m, s, tw, xr, xi, yr, yi); }
export function pass3(m: i32, s: i32, tw: usize, xr: usize, xi: usize, yr: usize, yi: usize): void { pass3Of<f64>(m, s, tw, xr, xi, yr, yi); }
export function pass332(m: i32, s: i32, tw: usize, xr: usize, xi: usize, yr: usize, yi: usize): void { pass3Of<f32>(m, s, tw, xr, xi, yr, yi); }
export function pass4(m: i32, s: i32, tw: usize, xr: usize, xi: usize, yr: usize, yi: usize): void { pass4Of<f64>(m, s, tw, xr, xi, yr, yi); }
export function pass432(m: i32, s: i32, tw: usize, xr: usize, xi: usize, yr: usize, yi: usize): void { pass4Of<f32>(m, s, tw, xr, xi, yr, yi); }
export function pass5(m: i32, s: i32, tw: usize, xr: usize, xi: usize, yr: usize, yi: usize): void { pass5Of<f64>(m, s, tw, xr, xi, yr, yi); }
export function pass532(m: i32, s: i32, tw: usize, xr: usize, xi: usize, yr: usize, yi: usize): void { pass5Of<f32>(m, s, tw, xr, xi, yr, yi); }
export function pass8(m: i32, s: i32, tw: usize, xr: usize, xi: usize, yr: usize, yi: usize): void { pass8Of<f64>(m, s, tw, xr, xi, yr, yi); }
export function pass832(m: i32, s: i32, tw: usize, xr: usize, xi: usize, yr: usize, yi: usize): void { pass8Of<f32>(m, s, tw, xr, xi, yr, yi); }
export function passAny(radix: i32, m: i32, s: i32, tw: usize, roots: usize, xr: usize, xi: usize, yr: usize, yi: usize): void { passAnyOf<f64>(radix, m, s, tw, roots, xr, xi, yr, yi); }
export function passAny32(radix: i32, m: i32, s: i32, tw: usize, roots: usize, xr: usize, xi: usize, yr: usize, yi: usize): void { passAnyOf<f32>(radix, m, s, tw, roots, xr, xi, yr, yi); }
export function pack(input: usize, xr: usize, xi: usize, length: i32, lanes: i32): void { packOf<f64>(input, xr, xi, length, lanes); }
export function pack32(input: usize, xr: usize, xi: usize, length: i32, lanes: i32): void { packOf<f32>(input, xr, xi, length, lanes); }
export function unpack(zr: usize, zi: usize, re: usize, im: usize, tw: usize, length: i32, lanes: i32, power: bool): void { unpackOf<f64>(zr, zi, re, im, tw, length, lanes, power); }
export function unpack32(zr: usize, zi: usize, re: usize, im: usize, tw: usize, length: i32, lanes: i32, power: bool): void { unpackOf<f32>(zr, zi, re, im, tw, length, lanes, power); }

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
    v128.store(input + (<usize>n << 5), mul<f64>(ab, w));
    v128.store(input + (<usize>n << 5) + 16, mul<f64>(cd, w));
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
      low = add<f64>(low, mul<f64>(w, at(x)));
      high = add<f64>(high, mul<f64>(w, at(x + 16)));
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
    const z = f64x2.div(sub<f64>(m, one), add<f64>(m, one));
    const y = mul<f64>(z, z);
    let sum = f64x2.splat(1.0 / 15);
    sum = add<f64>(mul<f64>(sum, y), f64x2.splat(1.0 / 13));
    sum = add<f64>(mul<f64>(sum, y), f64x2.splat(1.0 / 11));
    sum = add<f64>(mul<f64>(sum, y), f64x2.splat(1.0 / 9));
    sum = add<f64>(mul<f64>(sum, y), f64x2.splat(1.0 / 7));
    sum = add<f64>(mul<f64>(sum, y), f64x2.splat(0.2));
    sum = add<f64>(mul<f64>(sum, y), f64x2.splat(1.0 / 3));
    sum = add<f64>(mul<f64>(sum, y), one);
    v128.store(values, add<f64>(mul<f64>(e, ln2), mul<f64>(factor, mul<f64>(z, sum))));
  }
}

/** Four windowed frames of an f32 signal, interleaved, even rows to xr and odd rows to xi, as `pack` would; `window` holds f32. */
export function frames32(signal: usize, hop: i32, window: usize, size: i32, xr: usize, xi: usize): void {
  const step = <usize>hop << 2;
  let n = 0;
  for (; n + 4 <= size; n += 4) {
    const x = signal + (<usize>n << 2), y = <usize>n << 3;
    const w = at(window + (<usize>n << 2));
    const a = mul<f32>(at(x), w), b = mul<f32>(at(x + step), w);
    const c = mul<f32>(at(x + step * 2), w), d = mul<f32>(at(x + step * 3), w);
    const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5), cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
    const ef = v128.shuffle<f32>(a, b, 2, 6, 3, 7), gh = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
    v128.store(xr + y, v128.shuffle<f32>(ab, cd, 0, 1, 4, 5));
    v128.store(xi + y, v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
    v128.store(xr + y + 16, v128.shuffle<f32>(ef, gh, 0, 1, 4, 5));
    v128.store(xi + y + 16, v128.shuffle<f32>(ef, gh, 2, 3, 6, 7));
  }
  for (; n < size; n++)
    for (let l = 0; l < 4; l++)
      store<f32>((n & 1 ? xi : xr) + (<usize>(n >> 1) << 4) + (<usize>l << 2), load<f32>(signal + step * l + (<usize>n << 2)) * load<f32>(window + (<usize>n << 2)));
}

/** `filterbank` of f32. */
export function filterbank32(power: usize, spans: usize, weights: usize, bands: i32, out: usize): void {
  for (let b = 0; b < bands; b++) {
    let x = power + (<usize>load<i32>(spans + (<usize>b << 3)) << 4);
    const count = load<i32>(spans + (<usize>b << 3) + 4);
    let sum = f32x4.splat(0);
    for (let k = 0; k < count; k++) {
      sum = add<f32>(sum, mul<f32>(v128.load32_splat(weights), at(x)));
      weights += 4;
      x += 16;
    }
    v128.store(out + (<usize>b << 4), sum);
  }
}

/** `logarithm` of f32; error below 2e-7 of the result, or of 1 where that is less. `count` is a multiple of 4. */
export function logarithm32(values: usize, count: i32, floor: f32, scale: f32): void {
  const least = f32x4.splat(floor), one = f32x4.splat(1), factor = f32x4.splat(scale * 2);
  const ln2 = f32x4.splat(<f32>0.6931471805599453 * scale);
  for (let end = values + (<usize>count << 2); values < end; values += 16) {
    const x = f32x4.max(least, at(values));
    const exponent = i32x4.shr_s(i32x4.sub(x, i32x4.splat(0x3f3504f3)), 23);
    const m = i32x4.sub(x, i32x4.shl(exponent, 23));
    const z = f32x4.div(sub<f32>(m, one), add<f32>(m, one));
    const y = mul<f32>(z, z);
    let sum = f32x4.splat(1.0 / 9);
    sum = add<f32>(mul<f32>(sum, y), f32x4.splat(1.0 / 7));
    sum = add<f32>(mul<f32>(sum, y), f32x4.splat(0.2));
    sum = add<f32>(mul<f32>(sum, y), f32x4.splat(1.0 / 3));
    sum = add<f32>(mul<f32>(sum, y), one);
    v128.store(values, add<f32>(mul<f32>(f32x4.convert_i32x4_s(exponent), ln2), mul<f32>(factor, mul<f32>(z, sum))));
  }
}

/** f32 [bands, 4] to rows [4, bands] at `out`; `most` [4] keeps the largest values seen. */
export function rows32(values: usize, bands: i32, out: usize, most: usize): void {
  let high = at(most);
  const row = <usize>bands << 2;
  let b = 0;
  for (; b + 4 <= bands; b += 4) {
    const from = values + (<usize>b << 4), to = out + (<usize>b << 2);
    const p = at(from), q = at(from + 16), r = at(from + 32), s = at(from + 48);
    high = f32x4.max(high, f32x4.max(f32x4.max(p, q), f32x4.max(r, s)));
    const pq = v128.shuffle<f32>(p, q, 0, 4, 1, 5), rs = v128.shuffle<f32>(r, s, 0, 4, 1, 5);
    const tu = v128.shuffle<f32>(p, q, 2, 6, 3, 7), vw = v128.shuffle<f32>(r, s, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<f32>(pq, rs, 0, 1, 4, 5));
    v128.store(to + row, v128.shuffle<f32>(pq, rs, 2, 3, 6, 7));
    v128.store(to + row * 2, v128.shuffle<f32>(tu, vw, 0, 1, 4, 5));
    v128.store(to + row * 3, v128.shuffle<f32>(tu, vw, 2, 3, 6, 7));
  }
  for (; b < bands; b++) {
    const p = at(values + (<usize>b << 4));
    high = f32x4.max(high, p);
    for (let l = 0; l < 4; l++) store<f32>(out + row * l + (<usize>b << 2), load<f32>(values + (<usize>b << 4) + (<usize>l << 2)));
  }
  v128.store(most, high);
}

/** Whether `count` (a multiple of 4) values are finite: 0 times them adds up to 0. */
export function finite32(values: usize, count: i32): bool {
  const zero = f32x4.splat(0);
  let a = zero, b = zero;
  const end = values + (<usize>count << 2);
  for (; values + 32 <= end; values += 32) {
    a = add<f32>(a, mul<f32>(at(values), zero));
    b = add<f32>(b, mul<f32>(at(values + 16), zero));
  }
  for (; values < end; values += 16) a = add<f32>(a, mul<f32>(at(values), zero));
  return i32x4.all_true(f32x4.eq(add<f32>(a, b), zero));
}

/** Whisper's scale, in place: no lower than `floor`, a quarter of it, plus 1; `count` is a multiple of 4. */
export function scale32(values: usize, count: i32, floor: f32): void {
  const least = f32x4.splat(floor), quarter = f32x4.splat(0.25), one = f32x4.splat(1);
  for (let end = values + (<usize>count << 2); values < end; values += 16)
    v128.store(values, add<f32>(mul<f32>(f32x4.pmax(least, at(values)), quarter), one));
}

/**
 * Subharmonic summation (Hermes, 1988) over four power spectra [bins, 4]: magnitudes, of which only local maxima and their neighbours stay,
 * smoothed, read at `points` places (i32 `places`, four weights each), summed at the i32 `shifts`. `work` [2 bins, 4], `line` and `sum`
 * [points, 4], `mean` [4]: the sum of all points of the whole sum.
 */
export function subharmonics(
  power: usize, bins: i32, places: usize, weights: usize, points: i32, shifts: usize, gains: usize, harmonics: i32,
  from: i32, to: i32, work: usize, line: usize, sum: usize, mean: usize,
): void {
  const size = <usize>bins << 5;
  const smooth = work + size;
  const zero = f64x2.splat(0), half = f64x2.splat(0.5), quarter = f64x2.splat(0.25);
  for (let i: usize = 0; i < size; i += 16) v128.store(work + i, f64x2.sqrt(at(power + i)));
  for (let lane: usize = 0; lane < 32; lane += 16) {
    // whether bins k - 1, k, k + 1 are maxima; the first and the last bin never are
    let before = zero, here = zero;
    let left = zero, middle = zero;
    for (let k = 0; k < bins; k++) {
      const x = work + (<usize>k << 5) + lane;
      const v = at(x);
      let next = zero;
      if (k + 2 < bins) {
        const w = at(x + 32);
        next = v128.and(f64x2.gt(w, v), f64x2.ge(w, at(x + 64)));
      }
      const right = v128.and(v, v128.or(before, v128.or(here, next)));
      // `right` is bin k, `middle` bin k - 1
      if (k >= 2) v128.store(smooth + (<usize>(k - 1) << 5) + lane, add<f64>(mul<f64>(quarter, add<f64>(left, right)), mul<f64>(half, middle)));
      left = middle;
      middle = right;
      before = here;
      here = next;
    }
    v128.store(smooth + lane, zero);
    v128.store(smooth + size - 32 + lane, zero);
  }
  for (let i = 0; i < points; i++) {
    const w = weights + (<usize>i << 5);
    const x = smooth + (<usize>load<i32>(places + (<usize>i << 2)) << 5);
    const a = v128.load64_splat(w), b = v128.load64_splat(w + 8), c = v128.load64_splat(w + 16), d = v128.load64_splat(w + 24);
    for (let lane: usize = 0; lane < 32; lane += 16) {
      const y = x + lane;
      const value = add<f64>(add<f64>(add<f64>(mul<f64>(a, at(y)), mul<f64>(b, at(y + 32))), mul<f64>(c, at(y + 64))), mul<f64>(d, at(y + 96)));
      v128.store(line + (<usize>i << 5) + lane, f64x2.max(value, zero));
    }
  }
  memory.copy(sum, line, <usize>points << 5);
  for (let n = 1; n < harmonics; n++) {
    const shift = load<i32>(shifts + (<usize>n << 2));
    const gain = v128.load64_splat(gains + (<usize>n << 3));
    const end = sum + (<usize>min(to + 2, points - shift) << 5);
    const far = line - sum + (<usize>shift << 5);
    for (let y = sum + (<usize>(from - 1) << 5); y < end; y += 16) v128.store(y, add<f64>(at(y), mul<f64>(gain, at(y + far))));
  }
  // harmonic n adds what lies above its shift
  for (let lane: usize = 0; lane < 32; lane += 16) {
    let above = zero, total = zero;
    let n = harmonics - 1;
    for (let i = points - 1; i >= 0; i--) {
      above = add<f64>(above, at(line + (<usize>i << 5) + lane));
      while (n >= 0 && load<i32>(shifts + (<usize>n << 2)) == i) {
        total = add<f64>(total, mul<f64>(v128.load64_splat(gains + (<usize>n << 3)), above));
        n--;
      }
    }
    v128.store(mean + lane, total);
  }
}
