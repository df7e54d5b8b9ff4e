/** The numbers of the colour law and of the scale rule. Every place that draws a map takes them from here. */

/** A scale ends at this percentile of its values: one outlier must not make all else look like nothing. */
export const SCALE_PERCENTILE = 0.99;

/** Share of a map's mass that the contour encloses unless the reader chooses another. */
export const CONTOUR_SHARE = 0.5;

/** A map whose entropy is above this share of its maximum says nearly nothing about place. */
export const NEARLY_UNIFORM = 0.99;

/** A patch that is the largest for more than this share of the latents is a sink. */
export const SINK_SHARE = 0.5;

/** Below this share of its attention, a query does not look at a picture. */
export const NO_MASS = 0.005;

/** From this many patches on, outlines of single patches would hide what they outline. */
export const MANY_PATCHES = 28 * 28;

/** How much of the picture the law takes away at most: dims in the spotlight, covers in the heat. */
export const STRENGTH = 0.8;

/** Exponent from a value's place on the scale to how much is seen of it; below 1, weak values show. */
export const CURVE = 0.7;
