/** Checkpoints that people look for, by their names on the hub. */

export interface KnownCheckpoint {
  repository: string;
  /** Whose protocol its latents follow; undefined for a model without any. */
  family?: string;
  /** Whether it runs with latents; else as a plain Qwen2.5-VL. */
  latents: boolean;
}

/** ILVR's own, its base models, then those of the other families (../model/families). */
export const KNOWN_CHECKPOINTS: readonly KnownCheckpoint[] = [
  { repository: 'shuai22/comt_ckpt', family: 'ILVR', latents: true },
  { repository: 'Qwen/Qwen2.5-VL-3B-Instruct', latents: false },
  { repository: 'Qwen/Qwen2.5-VL-7B-Instruct', latents: false },
  { repository: 'NOVAglow646/Monet-7B', family: 'Monet', latents: true },
  { repository: 'NOVAglow646/Monet-SFT-7B', family: 'Monet', latents: true },
  { repository: 'vincentleebang/LVR-7B', family: 'LVR', latents: true },
  { repository: 'JosephTong/SkiLa-7B', family: 'SkiLa', latents: true },
  { repository: 'Miiche/vsp_spatial_planning_direct_sft', family: 'Mirage', latents: true },
  { repository: 'wybb/laser-7b', family: 'Laser', latents: true },
  { repository: 'Wakals/CoVT-7B-seg_depth_dino', family: 'CoVT', latents: true },
];
