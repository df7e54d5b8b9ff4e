/** What is done to a picture, by name; the pixels are ../checkpoint/pixels/changeImage.ts. Free of schemas. */

import { message, type Message } from '../base/l10n.ts';

export const PICTURE_CHANGES = ['blurred', 'grey', 'masked', 'mirrored', 'replaced'] as const;
export type PictureChange = (typeof PICTURE_CHANGES)[number];

export const PICTURE_CHANGE_NAMES: Record<PictureChange, Message> = {
  blurred: message('blurred'),
  grey: message('without colours'),
  masked: message('masked in a region'),
  mirrored: message('mirrored'),
  replaced: message('another run’s'),
};
