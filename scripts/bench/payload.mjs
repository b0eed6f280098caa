/** What every submitted job carries: about 150 bytes of JSON, the size of a usual "send this message" job. */
export const payload = {
  to: 'u4711@example.com',
  template: 'shipped',
  lang: 'en',
  ids: [101, 102, 103, 104],
  note: 'Sixty-four characters of text, as a short remark usually has it.',
};
