// What ical.js (the parser of Thunderbird) reads in the calendars named on the command line, as JSON for
// calendar_judges.py.
import { readFileSync } from "node:fs";
import ICAL from "ical.js";

const moment = (component, name) => {
  const value = component.getFirstPropertyValue(name);
  return value === null ? null : value.toUnixTime();
};
const texts = (component, name) => component.getAllProperties(name).flatMap((property) => property.getValues());

function readEvent(event) {
  const organizer = event.getFirstProperty("organizer");
  return {
    uid: event.getFirstPropertyValue("uid"),
    sequence: event.getFirstPropertyValue("sequence"),
    stamp: moment(event, "dtstamp"),
    created: moment(event, "created"),
    modified: moment(event, "last-modified"),
    start: moment(event, "dtstart"),
    end: moment(event, "dtend"),
    summary: event.getFirstPropertyValue("summary"),
    description: event.getFirstPropertyValue("description"),
    location: event.getFirstPropertyValue("location"),
    url: event.getFirstPropertyValue("url"),
    categories: texts(event, "categories"),
    status: event.getFirstPropertyValue("status"),
    transp: event.getFirstPropertyValue("transp"),
    definitions: texts(event, "x-onsale-definition"),
    alarms: event.getAllSubcomponents("valarm").map((alarm) => ({
      action: alarm.getFirstPropertyValue("action"),
      before: -alarm.getFirstPropertyValue("trigger").toSeconds(),
    })),
    organizer: organizer && { address: organizer.getFirstValue(), name: organizer.getParameter("cn") ?? null },
  };
}

function read(path) {
  const calendar = new ICAL.Component(ICAL.parse(readFileSync(path, "utf8")));
  return {
    version: calendar.getFirstPropertyValue("version"),
    prodid: calendar.getFirstPropertyValue("prodid"),
    method: calendar.getFirstPropertyValue("method"),
    name: calendar.getFirstPropertyValue("x-wr-calname"),
    events: calendar.getAllSubcomponents("vevent").map(readEvent),
  };
}

console.log(JSON.stringify(process.argv.slice(2).map(read)));
