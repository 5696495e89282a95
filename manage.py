#!/usr/bin/env python3
"""Django's commands (replaced by the supervisor's bootstrap)."""
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
