"""A Django that runs beside Postern on one database, for a test: it takes
commands from its standard input, one JSON array a line, and answers each.

    ["migrate"]                   make the tables
    ["create", NAME, PASSWORD]    make a user
    ["login", NAME, PASSWORD]     log in; the key of the session, null if refused
    ["user", KEY]                 whose session it is, null if it is over
    ["version"]

In the environment: DB, the file; HASHERS, the names of the password hashers in
their order, none for Django's own; NO_ARGON2, as if argon2-cffi were missing.
"""
import json
import os
import sys

if os.environ.get("NO_ARGON2"):
    sys.modules["argon2"] = None

from django.conf import settings

options = {}
if os.environ.get("HASHERS"):
    options["PASSWORD_HASHERS"] = ["django.contrib.auth.hashers." + name for name in os.environ["HASHERS"].split(",")]
settings.configure(
    SECRET_KEY="a-django-beside-postern", USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DB"], "OPTIONS": {"timeout": 30}}}, **options)

import django

django.setup()

from importlib import import_module

from django.contrib.auth import authenticate, get_user, get_user_model, login
from django.core.management import call_command
from django.http import HttpRequest

SessionStore = import_module(settings.SESSION_ENGINE).SessionStore


def request(key=None):
    r = HttpRequest()
    r.session = SessionStore(key)
    return r


def act(verb, *args):
    if verb == "version":
        return django.get_version()
    if verb == "migrate":
        return call_command("migrate", verbosity=0)
    if verb == "create":
        return get_user_model().objects.create_user(args[0], password=args[1]).pk
    if verb == "login":
        r = request()
        user = authenticate(r, username=args[0], password=args[1])
        if user is None:
            return None
        login(r, user)
        r.session.save()
        return r.session.session_key
    if verb == "user":
        user = get_user(request(args[0]))
        return user.get_username() or None
    raise ValueError(verb)


for line in sys.stdin:
    print(json.dumps(act(*json.loads(line))), flush=True)
