// Renders /api/openapi.json. Everything becomes text nodes: no string of the description is ever read as markup.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];

function make(tag, text, name) {
  const node = document.createElement(tag);
  if (name) {
    node.className = name;
  }
  if (text !== undefined && text !== null) {
    words(node, String(text));
  }
  return node;
}

// Text between backquotes is code.
function words(node, text) {
  text.split("`").forEach((part, place) => {
    if (place % 2) {
      const code = document.createElement("code");
      code.textContent = part;
      node.append(code);
    } else {
      node.append(part);
    }
  });
}

function code(text) {
  const block = document.createElement("pre");
  const inner = document.createElement("code");
  inner.textContent = text;
  block.append(inner);
  return block;
}

function resolve(description, schema) {
  const found = schema && schema.$ref ? schema.$ref.split("/").slice(1) : null;
  return found ? found.reduce((node, part) => node[part], description) : schema || {};
}

function kind(description, schema) {
  if (schema.$ref) {
    const found = resolve(description, schema);
    return found.enum ? found.enum.join(" | ") : schema.$ref.split("/").pop();
  }
  if (schema.anyOf) {
    return schema.anyOf.map((each) => kind(description, each)).join(" or ");
  }
  if (schema.enum) {
    return schema.enum.join(" | ");
  }
  if (schema.type === "array") {
    return "list of " + kind(description, schema.items || {});
  }
  if (schema.type === "object" && schema.additionalProperties && schema.additionalProperties !== true) {
    return "object of " + kind(description, schema.additionalProperties);
  }
  return schema.format || schema.type || "any";
}

// The name of the one shape that a type speaks of, if there is one.
function shape(schema) {
  const found = [...JSON.stringify(schema).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map((each) => each[1]);
  return found.length === 1 ? found[0] : null;
}

function typed(description, schema, needed) {
  const text = kind(description, schema) + (needed ? ", needed" : "");
  const name = shape(schema);
  if (!name || !description.components.schemas[name].properties) {
    return text;
  }
  const link = make("a", text);
  link.href = "#" + name;
  return link;
}

function bounds(schema) {
  const told = [];
  if (schema.minimum !== undefined) told.push("from " + schema.minimum);
  if (schema.maximum !== undefined) told.push("to " + schema.maximum);
  if (schema.maxLength !== undefined) told.push("up to " + schema.maxLength + " characters");
  if (schema.default !== undefined && schema.default !== null) told.push("default " + JSON.stringify(schema.default));
  return told.length ? "(" + told.join(", ") + ")" : "";
}

function table(rows) {
  const whole = document.createElement("table");
  for (const row of rows) {
    const line = document.createElement("tr");
    for (const cell of row) {
      const place = document.createElement("td");
      place.append(cell);
      line.append(place);
    }
    whole.append(line);
  }
  return whole;
}

function row(description, name, schema, needed, about) {
  const named = document.createElement("code");
  named.textContent = name;
  const told = [about || schema.description, bounds(schema)].filter(Boolean).join(" ");
  return [named, typed(description, schema, needed), make("span", told)];
}

function fields(description, schema, asked) {
  const found = resolve(description, schema);
  const names = Object.keys(found.properties || {});
  const needed = new Set((asked && found.required) || []);
  return table(names.map((name) => row(description, name, found.properties[name], needed.has(name))));
}

function content(description, title, part, withFields, asked) {
  const out = [];
  for (const [type, media] of Object.entries((part && part.content) || {})) {
    const schema = media.schema || {};
    const found = resolve(description, schema);
    out.push(make("h3", title + (type === "application/json" ? "" : ", " + type)));
    if (found.description) out.push(make("p", found.description));
    if (withFields && found.properties) out.push(fields(description, schema, asked));
    const several = found.additionalProperties ? resolve(description, found.additionalProperties) : null;
    if (found.examples) {
      out.push(code(JSON.stringify(found.examples[0], null, 2)));
    } else if (several && several.examples) {
      out.push(code(JSON.stringify({ acme: several.examples[0] }, null, 2)));
    }
  }
  return out;
}

function shown(text) {
  return "'" + text.replaceAll("'", "'\\''") + "'";
}

function curl(description, method, path, operation) {
  const parts = ["curl"];
  if (method !== "get") parts.push("-X " + method.toUpperCase());
  if (operation.security) parts.push('-H "Authorization: Bearer $KEY"');
  const media = operation.requestBody && operation.requestBody.content["application/json"];
  if (media) {
    const examples = resolve(description, media.schema).examples;
    parts.push('-H "Content-Type: application/json"');
    if (examples) parts.push("-d " + shown(JSON.stringify(examples[0])));
  }
  return parts.join(" ") + " " + shown(window.location.origin + path);
}

function endpoint(description, path, method, operation) {
  const whole = document.createElement("details");
  const head = document.createElement("summary");
  const address = document.createElement("code");
  address.textContent = path;
  const told = operation.description || "";
  const local = (operation.security || []).some((each) => !Object.keys(each).length);
  const role = operation["x-oneflow-role"] + (local ? ", or this machine" : "");
  head.append(make("span", method.toUpperCase(), "method"), address, make("span", told.split(/[.:;] /)[0], "soft"));
  head.append(make("span", role, "role"));
  whole.id = method + path;
  const body = document.createElement("div");
  body.append(make("p", told));
  if (operation.parameters) {
    body.append(make("h3", "Parameters"));
    body.append(
      table(operation.parameters.map((each) => row(description, each.name, each.schema, each.required, each.description))),
    );
  }
  body.append(...content(description, "Body", operation.requestBody, true, true));
  for (const [status, answer] of Object.entries(operation.responses)) {
    const good = status.startsWith("2");
    body.append(...content(description, good ? "Answer " + status : "Failure", answer, good));
  }
  body.append(make("h3", "With curl"), code(curl(description, method, path, operation)));
  whole.append(head, body);
  return whole;
}

function render(description) {
  const place = document.getElementById("endpoints");
  const nouns = new Map();
  for (const [path, operations] of Object.entries(description.paths)) {
    for (const method of METHODS.filter((each) => each in operations)) {
      const noun = (operations[method].tags || ["other"])[0];
      nouns.set(noun, [...(nouns.get(noun) || []), endpoint(description, path, method, operations[method])]);
    }
  }
  place.replaceChildren();
  for (const [noun, found] of nouns) {
    place.append(make("h2", noun), ...found);
  }
  place.append(make("h2", "shapes"));
  for (const [name, found] of Object.entries(description.components.schemas).filter((each) => each[1].properties)) {
    const title = make("h3", name);
    title.id = name;
    place.append(title, make("p", found.description), fields(description, found));
  }
  const about = document.getElementById("about");
  about.replaceChildren();
  words(about, description.info.description + " Version " + description.info.version + ".");
  const named = document.getElementById(window.location.hash.slice(1));
  if (named) {
    if (named instanceof HTMLDetailsElement) {
      named.open = true;
    }
    named.scrollIntoView();
  }
}

function trouble(text) {
  const place = document.getElementById("trouble");
  place.textContent = text;
  place.hidden = !text;
}

// The key stays in this page: it is sent with this one request and kept nowhere.
async function load(key) {
  const answer = await fetch("/api/openapi.json", { headers: key ? { authorization: "Bearer " + key } : {} });
  const found = await answer.json();
  document.getElementById("door").hidden = answer.ok;
  if (answer.ok) {
    trouble("");
    render(found);
  } else {
    trouble(key ? found.error.message : "Your key, please: this page was not opened on the machine of the server.");
  }
}

document.getElementById("door").addEventListener("submit", (event) => {
  event.preventDefault();
  load(document.getElementById("key").value.trim());
});

load("").catch(() => trouble("The server cannot be reached."));
