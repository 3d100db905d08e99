/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A pager on a terminal, as git has it: what fits the screen is just printed (less -F),
 * longer output can be read. PAGER chooses another one; "cat" or an empty one is none.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/cli.h"

static const char *const paged[] = {"ls", "show", "query", "log", "spec", "why", "verify"};

static bool is_paged(const char *verb)
{
  for (size_t i = 0; i < G_N_ELEMENTS(paged); i++)
    if (strcmp(paged[i], verb) == 0)
      return true;
  return false;
}

static void run_pager(const char *pager, int in)
{
  dup2(in, STDIN_FILENO);
  g_setenv("LESS", "FRX", FALSE);
  execl("/bin/sh", "sh", "-c", pager, (char *)NULL);
  _exit(127);
}

void cli_pager_begin(struct cli *cli, const char *verb)
{
  const char *pager = g_getenv("PAGER");
  int ends[2];
  if (!cli->is_terminal || cli->json || cli->quiet || !is_paged(verb))
    return;
  if (!pager)
    pager = "less";
  g_auto(GStrv) words = g_strsplit(pager, " ", 2);
  g_autofree char *program = words[0] ? g_find_program_in_path(words[0]) : NULL;
  if (!program || strcmp(words[0], "cat") == 0 || pipe(ends) != 0)
    return;
  fflush(stdout);
  cli->pager = fork();
  if (cli->pager == 0) {
    close(ends[1]);
    run_pager(pager, ends[0]);
  }
  close(ends[0]);
  if (cli->pager > 0) {
    dup2(ends[1], STDOUT_FILENO);
    signal(SIGINT, SIG_IGN); /* Ctrl-C is the pager's to handle */
  }
  close(ends[1]);
}

void cli_pager_end(struct cli *cli)
{
  if (cli->pager <= 0)
    return;
  fflush(stdout);
  close(STDOUT_FILENO);
  int status = 0;
  while (waitpid(cli->pager, &status, 0) < 0 && errno == EINTR)
    ;
}
