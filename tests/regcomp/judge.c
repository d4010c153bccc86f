/*
 * What the C library says of expressions: compiles and tries them as multipathd does, each in a thread
 * with a small stack, in processes with limits that may die of it.
 *
 * usage: judge STACK USED MEMORY TIME
 *
 *   STACK   the stack of the thread that compiles, in KiB; texts are always tried with one of 64
 *   USED    how much of the stacks others have on them already, in KiB
 *   MEMORY  how much more than at the start the process may take, in MiB
 *   TIME    processor time for an expression and its texts, in ms
 *
 * A line of standard input is an expression and the texts to try it on, each in hexadecimal digits or
 * "-" if it is empty. A line of standard output is the answer:
 *
 *   ok 010      valid; for each text, whether it is hit
 *   invalid
 *   memory      it takes more
 *   time        it takes longer
 *   signal N    it dies
 *
 * Behind that stand the time in us, the largest growth of the process so far in KiB, and how much of
 * the stack was used in KiB.
 */

#define _GNU_SOURCE

#include <alloca.h>
#include <malloc.h>
#include <pthread.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST_TEXTS 64
#define UNTOUCHED 0x5a5a5a5a5a5a5a5aUL

/* More of a stack is not looked at. */
#define MOST_MEASURED (1024 * 1024)

#define THREAD_STACK (64 * 1024)

static size_t compiling_stack, used_stack;

struct stack {
	char *start;
	size_t size;
	/* what is looked at */
	unsigned long *lowest;
	size_t words;
};

struct question {
	char *texts[1 + MOST_TEXTS]; /* the expression first */
	int count;
	regex_t regex;
	int result; /* regcomp's */
	char answer[16 + MOST_TEXTS];
	long us;
};

static void fail(const char *what)
{
	perror(what);
	_exit(2);
}

/* Not strtoul(), which a program for a newer C library has from there. */
static unsigned long number(const char *text)
{
	unsigned long number = 0;

	for (; *text >= '0' && *text <= '9'; text++)
		number = number * 10 + (*text - '0');
	return number;
}

static int digit(int c)
{
	return c >= 'a' ? c - 'a' + 10 : c - '0';
}

static void parse(char *line, struct question *question)
{
	char *word, *save = NULL;

	question->count = 0;
	for (word = strtok_r(line, " \n", &save); word && question->count <= MOST_TEXTS;
	     word = strtok_r(NULL, " \n", &save)) {
		char *out = word, *in = word;

		if (*in != '-')
			for (; in[0] && in[1]; in += 2)
				*out++ = (char)(digit(in[0]) << 4 | digit(in[1]));
		*out = '\0';
		question->texts[question->count++] = word;
	}
}

static long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return time.tv_sec * 1000000L + time.tv_nsec / 1000;
}

static void compile(struct question *question)
{
	int result = regcomp(&question->regex, question->texts[0], REG_EXTENDED | REG_NOSUB);

	question->result = result;
	strcpy(question->answer, !result ? "ok " : result == REG_ESPACE ? "memory" : "invalid");
}

static void try_texts(struct question *question)
{
	char *out = question->answer + strlen(question->answer);
	int index, result;

	for (index = 1; index < question->count; index++) {
		result = regexec(&question->regex, question->texts[index], 0, NULL, 0);
		if (result != 0 && result != REG_NOMATCH) {
			strcpy(question->answer, "memory");
			return;
		}
		*out++ = result == 0 ? '1' : '0';
		*out = '\0';
	}
}

struct job {
	void (*run)(struct question *);
	struct question *question;
};

static void *thread(void *argument)
{
	struct job *job = argument;
	volatile char *used = alloca(used_stack + 1);
	long start = now();

	used[0] = 0;
	job->run(job->question);
	used[used_stack] = 0;
	job->question->us += now() - start;
	return NULL;
}

static struct stack new_stack(size_t size)
{
	struct stack stack = { .size = size };
	size_t measured = size < MOST_MEASURED ? size : MOST_MEASURED;
	char *start = mmap(NULL, size + 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* pages without access are below it */
	if (start == MAP_FAILED || mprotect(start + 65536, size, PROT_READ | PROT_WRITE))
		fail("stack");
	stack.start = start + 65536;
	stack.lowest = (unsigned long *)(stack.start + size - measured);
	stack.words = measured / sizeof(unsigned long);
	return stack;
}

/* Runs a function in a thread, and tells how much of its stack was used, in KiB. */
static size_t run(void (*function)(struct question *), struct question *question, struct stack *stack)
{
	struct job job = { function, question };
	pthread_attr_t attr;
	pthread_t id;
	size_t word;

	for (word = 0; word < stack->words; word++)
		stack->lowest[word] = UNTOUCHED;
	pthread_attr_init(&attr);
	if (pthread_attr_setstack(&attr, stack->start, stack->size) ||
	    pthread_create(&id, &attr, thread, &job))
		fail("thread");
	pthread_join(id, NULL);
	for (word = 0; word < stack->words && stack->lowest[word] == UNTOUCHED; word++)
		;
	return (stack->words - word) * sizeof(unsigned long) / 1024;
}

static long peak(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

/* Answers questions from this one on, until one kills it. */
static void answer_all(char **lines, int count, long time)
{
	struct itimerval limit = { .it_value = { time / 1000, time % 1000 * 1000 } };
	struct stack compiling = new_stack(compiling_stack), trying = new_stack(THREAD_STACK);
	long before = peak();
	int index;

	for (index = 0; index < count; index++) {
		struct question question = { .count = 0 };
		size_t stack, tried = 0;

		parse(lines[index], &question);
		if (question.count == 0)
			continue;
		setitimer(ITIMER_PROF, &limit, NULL);
		stack = run(compile, &question, &compiling);
		if (!question.result) {
			tried = run(try_texts, &question, &trying);
			regfree(&question.regex);
		}
		printf("%s %ld %ld %zu\n", question.answer, question.us, peak() - before,
		       stack > tried ? stack : tried);
		fflush(stdout);
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	char **lines = NULL, *line = NULL, buffer[65536];
	size_t size = 0, memory;
	int count = 0, done = 0;

	if (argc != 5) {
		fprintf(stderr, "usage: judge STACK USED MEMORY TIME\n");
		return 2;
	}
	compiling_stack = number(argv[1]) * 1024;
	used_stack = number(argv[2]) * 1024;
	memory = number(argv[3]) * 1024 * 1024;
	while (getline(&line, &size, stdin) > 0) {
		lines = realloc(lines, sizeof(*lines) * (count + 1));
		lines[count++] = line;
		line = NULL;
	}

	while (done < count) {
		int ends[2], status, bytes, died;
		pid_t child;

		fflush(stdout);
		if (pipe(ends))
			fail("pipe");
		child = fork();
		if (child < 0)
			fail("fork");
		if (child == 0) {
			FILE *statm = fopen("/proc/self/statm", "r");
			struct rlimit limit, none = { 0, 0 };

			if (!statm || !fgets(buffer, sizeof(buffer), statm))
				fail("/proc/self/statm");
			limit.rlim_cur = limit.rlim_max = number(buffer) * sysconf(_SC_PAGESIZE) + memory;
			mallopt(M_ARENA_MAX, 1);
			if (dup2(ends[1], 1) < 0 || setrlimit(RLIMIT_AS, &limit) || setrlimit(RLIMIT_CORE, &none))
				fail("limits");
			close(ends[0]);
			answer_all(lines + done, count - done, (long)number(argv[4]));
		}
		close(ends[1]);
		while ((bytes = read(ends[0], buffer, sizeof(buffer))) > 0) {
			int at;

			for (at = 0; at < bytes; at++)
				done += buffer[at] == '\n';
			fwrite(buffer, 1, bytes, stdout);
		}
		close(ends[0]);
		if (waitpid(child, &status, 0) != child)
			fail("waitpid");
		died = WIFSIGNALED(status);
		if (!died && WEXITSTATUS(status))
			return WEXITSTATUS(status);
		if (!died)
			break;
		if (WTERMSIG(status) == SIGPROF)
			printf("time 0 0 0\n");
		else
			printf("signal %d 0 0 0\n", WTERMSIG(status));
		done++;
	}
	return 0;
}
