/** @file The frame of every page: no script, nothing from elsewhere. */
import { type Html, html, raw } from "./html.ts";
import { STYLE } from "./style.ts";

/** A self-contained page. */
export const wholePage = (title: string, subtitle: string, body: Html): string =>
  html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta
          http-equiv="Content-Security-Policy"
          content="default-src 'none'; style-src 'unsafe-inline'; media-src data:; img-src data:"
        />
        <title>${title}: evaluation</title>
        <style>
          ${raw(STYLE)}
        </style>
      </head>
      <body>
        <main>
          <header>
            <h1>${title}</h1>
            <p>${subtitle}</p>
          </header>
          ${body}
        </main>
      </body>
    </html> `.html;
