/** Written by scripts/calibrate.ts; see ./calibration.ts. */

export const CALIBRATED = {
  date: '2026-11-30',
  version: '0.1.0',
  maps: 4,
  versions: {
    causality: 1,
    dependence: 1,
    faithfulness: 1,
  },
  tests: {
    zero: {
      carrying: 0.246,
      bypassed: 1.77e-15,
    },
    noise: {
      carrying: 0.429,
      bypassed: 8.81e-16,
    },
    mean: {
      carrying: 0.458,
      bypassed: 1.91e-15,
    },
    shuffle: {
      carrying: 0.0644,
      bypassed: 1.31e-15,
    },
    oracle: {
      carrying: 0.674,
      bypassed: 8.84e-16,
    },
    dummy: {
      carrying: 1.98,
      bypassed: 7.42e-16,
    },
    markers: {
      carrying: 1.28,
      bypassed: 1.9e-15,
    },
    none: {
      carrying: 3.34,
      bypassed: 1.04,
    },
    blurred: {
      carrying: 0.244,
      bypassed: 0,
    },
    grey: {
      carrying: 0.0204,
      bypassed: 0,
    },
    masked: {
      carrying: 0.0913,
      bypassed: 0,
    },
    mirrored: {
      carrying: 0.818,
      bypassed: 0,
    },
    faithfulness: {
      carrying: 6.74,
      bypassed: 5.39e-11,
    },
    swap: {
      carrying: 0.526,
      bypassed: 8.96e-16,
    },
    replaced: {
      carrying: 0.546,
      bypassed: 0,
    },
  },
};
