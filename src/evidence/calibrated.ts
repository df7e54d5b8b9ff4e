/** Written by scripts/calibrate.ts; see ./calibration.ts. */

export const CALIBRATED = {
  date: '2026-12-01',
  version: '0.1.0',
  maps: 4,
  versions: {
    causality: 2,
    dependence: 1,
    faithfulness: 2,
  },
  tests: {
    zero: {
      carrying: 0.246,
      bypassed: 1.67e-15,
      worlds: 1.32,
    },
    noise: {
      carrying: 0.429,
      bypassed: 1.08e-15,
      worlds: 0.944,
    },
    mean: {
      carrying: 0.458,
      bypassed: 1.78e-15,
      worlds: 1.24,
    },
    shuffle: {
      carrying: 0.0644,
      bypassed: 7.78e-16,
      worlds: 1.46,
    },
    oracle: {
      carrying: 0.674,
      bypassed: 1.82e-15,
      worlds: 1.09,
    },
    dummy: {
      carrying: 1.98,
      bypassed: 7.2e-16,
      worlds: 1.2,
    },
    markers: {
      carrying: 1.28,
      bypassed: 1.76e-15,
      worlds: 1.1,
    },
    none: {
      carrying: 3.34,
      bypassed: 1.04,
      worlds: 1.81,
    },
    blurred: {
      carrying: 0.244,
      bypassed: 0,
      worlds: 0.576,
    },
    grey: {
      carrying: 0.0204,
      bypassed: 0,
      worlds: 0.00000691,
    },
    masked: {
      carrying: 0.0913,
      bypassed: 0,
      worlds: 0.708,
    },
    mirrored: {
      carrying: 0.818,
      bypassed: 0,
      worlds: 4.09,
    },
    faithfulness: {
      carrying: 6.74,
      bypassed: 5.27e-11,
      worlds: 0.124,
    },
    swap: {
      carrying: 0.526,
      bypassed: 1.25e-15,
      worlds: 3.82,
    },
    replaced: {
      carrying: 0.546,
      bypassed: 0,
      worlds: 3.86,
    },
  },
};
