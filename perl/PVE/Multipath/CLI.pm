package PVE::Multipath::CLI;

# The command line of pvemultipath: options and dispatch. The manual page is in the program file,
# the commands are in the modules below.

use v5.36;

use Getopt::Long ();

use PVE::Multipath;
use PVE::Multipath::CLI::Apply;
use PVE::Multipath::CLI::Candidates;
use PVE::Multipath::CLI::Check;
use PVE::Multipath::CLI::AcceptPaths;
use PVE::Multipath::CLI::Complete;
use PVE::Multipath::CLI::Config;
use PVE::Multipath::CLI::Doctor;
use PVE::Multipath::CLI::Help;
use PVE::Multipath::CLI::Maps;
use PVE::Multipath::CLI::Metrics;
use PVE::Multipath::CLI::Output qw(encoded);
use PVE::Multipath::CLI::Record;
use PVE::Multipath::CLI::Status;
use PVE::Multipath::CLI::Wwid;
use PVE::Multipath::Source;
use PVE::Multipath::Text qw(characters safe one_line);

my $EXIT_DONE = 0;
my $EXIT_ERROR = 3;

my $formats = { map { $_ => 1 } qw(text json json-pretty yaml) };

# input: what the command works on: 'cluster', the cluster's data; 'node', only the node's data;
# 'files', also the files of pmxcfs; 'file', the file in the arguments, and the cluster's data if
# available; 'any', the node's data, and the cluster's if available.
# args: the names of its arguments; a LUN has to be configured, a WWID may be new.
# more-args: the last argument may be repeated. optional: it may be left out.
# help: returns additional lines for --help.
my $commands = {
    status => {
        code => \&PVE::Multipath::CLI::Status::run,
        input => 'cluster',
        options => sub() { ('watch:i', 'explain=s', 'problems', 'state=s@', 'node=s@', 'lun=s') },
    },
    metrics => {
        code => \&PVE::Multipath::CLI::Metrics::run,
        input => 'cluster',
        options => sub() { ('cluster', 'format=s', 'output=s') },
    },
    maps => {
        code => \&PVE::Multipath::CLI::Maps::run,
        input => 'node',
        options => sub() { 'node=s' },
    },
    candidates => {
        code => \&PVE::Multipath::CLI::Candidates::run,
        input => 'any',
        options => sub() { ('node=s', 'all') },
    },
    doctor => {
        code => \&PVE::Multipath::CLI::Doctor::run,
        input => 'files',
        args => ['LUN'],
        optional => 1,
        options => sub() { 'node=s' },
    },
    'accept-paths' => {
        code => \&PVE::Multipath::CLI::AcceptPaths::run,
        input => 'node',
        args => ['LUN'],
        options => sub() { 'node=s' },
    },
    config => {
        code => \&PVE::Multipath::CLI::Config::config,
        input => 'cluster',
        options => sub() { 'wwid=s' },
    },
    problems => {
        code => \&PVE::Multipath::CLI::Config::problems,
        input => 'cluster',
        options => sub() { 'multipath-tools=s' },
    },
    plan => {
        code => \&PVE::Multipath::CLI::Apply::plan,
        input => 'files',
        options => sub() { 'node=s' },
    },
    apply => {
        code => \&PVE::Multipath::CLI::Apply::apply,
        input => 'files',
        options => sub() { ('dry-run', 'node=s') },
    },
    record => {
        code => \&PVE::Multipath::CLI::Record::run,
        input => 'files',
        args => ['DIR'],
    },
    check => {
        code => \&PVE::Multipath::CLI::Check::run,
        input => 'file',
        args => ['FILE'],
        options => sub() { 'multipath-tools=s' },
    },
    'wwid add' => {
        code => \&PVE::Multipath::CLI::Wwid::add,
        input => 'cluster',
        args => ['WWID'],
        'more-args' => 1,
        options => sub() {
            return ('digest=s', 'force', 'dry-run', PVE::Multipath::CLI::Wwid::knob_options());
        },
        help => \&PVE::Multipath::CLI::Wwid::knob_help,
    },
    'wwid set' => {
        code => \&PVE::Multipath::CLI::Wwid::set,
        input => 'cluster',
        args => ['LUN'],
        options => sub() { ('digest=s', 'delete=s@', PVE::Multipath::CLI::Wwid::knob_options()) },
        help => \&PVE::Multipath::CLI::Wwid::knob_help,
    },
    'wwid remove' => {
        code => \&PVE::Multipath::CLI::Wwid::remove,
        input => 'cluster',
        args => ['LUN'],
        options => sub() { ('digest=s', 'force') },
    },
};

my @common_options = ('help|h', 'version|V', 'replay=s', 'output-format=s');

my sub usage_error($text, $name = '') {
    die "$text\ntry 'pvemultipath " . ($name eq '' ? '' : "$name ") . "--help'\n";
}

my sub help($name) {
    if ($name eq '') {
        PVE::Multipath::CLI::Help::overview();
    } else {
        my $more = ($commands->{$name} // {})->{help};
        PVE::Multipath::CLI::Help::page($name, defined($more) ? $more->() : ());
    }
    return $EXIT_DONE;
}

# Takes the name of the command, one or two words, from the arguments.
my sub command_name($args) {
    my $next = sub() { @$args && $args->[0] !~ m/^-/ ? shift @$args : undef };

    my $name = $next->() // return '';
    return $name if $name eq 'help' || $commands->{$name};

    my @second = map { m/\A\Q$name\E (.+)\z/ ? $1 : () } sort keys %$commands;
    usage_error("unknown command '" . safe(characters($name)) . "'") if !@second;

    my $second = $next->() // return $name;
    usage_error("unknown command '$name " . safe(characters($second)) . "', known are: "
            . join(', ', map { "$name $_" } @second))
        if !grep { $_ eq $second } @second;
    return "$name $second";
}

my sub parse_options($name, $args, $opts, @spec) {
    my @problems;
    local $SIG{__WARN__} = sub($text) { push @problems, $text };
    my $config = [qw(bundling permute no_auto_abbrev no_ignore_case)];
    Getopt::Long::Parser->new(config => $config)->getoptionsfromarray($args, $opts, @spec)
        or usage_error(join('', @problems) =~ s/\n\z//r, $name);
    return;
}

my sub source($input, $replay) {
    return PVE::Multipath::Source->replay($replay) if defined($replay);
    return undef if $input eq 'node';
    return PVE::Multipath::Source->files() if $input eq 'files';

    my $live = eval { PVE::Multipath::Source->live() };
    return $live if defined($live) || $input =~ m/\A(?:file|any)\z/;
    die(("$@" =~ s/\n\z//r) . "; use --replay DIR for recorded data\n");
}

my sub dispatch(@args) {
    my $opts = { 'output-format' => 'text' };

    # see perl/bash-completion
    if (@args && $args[0] eq 'complete') {
        shift @args;
        PVE::Multipath::CLI::Complete::run($commands, \@common_options, @args);
        return $EXIT_DONE;
    }

    my $name = command_name(\@args);
    my $is_help = $name eq 'help';
    $name = command_name(\@args) if $is_help;

    my $command = $commands->{$name};
    # without a command there is only --help and --version
    my @options = defined($command) ? @common_options : @common_options[0, 1];
    push @options, $command->{options}->() if defined($command) && $command->{options};
    parse_options($name, \@args, $opts, @options);

    usage_error("unexpected argument '" . safe(characters($args[0])) . "'") if $is_help && @args;
    return help($name eq 'help' ? '' : $name) if $is_help || $opts->{help};
    if ($opts->{version}) {
        print STDOUT "pvemultipath $PVE::Multipath::VERSION\n";
        return $EXIT_DONE;
    }

    if (!defined($command)) {
        usage_error('no command given') if $name eq '';
        usage_error("'$name' needs a subcommand: "
                . join(', ', grep { m/\A\Q$name\E / } sort keys %$commands), $name);
    }
    my @wanted = ($command->{args} // [])->@*;
    usage_error("no $wanted[@args] given", $name)
        if @args < @wanted - ($command->{optional} ? 1 : 0);
    usage_error("unexpected argument '" . safe(characters($args[@wanted])) . "'", $name)
        if @args > @wanted && !$command->{'more-args'};
    usage_error("unknown output format '" . safe(characters($opts->{'output-format'}))
            . "', known are: " . join(', ', sort keys %$formats), $name)
        if !$formats->{ $opts->{'output-format'} };
    usage_error('--node needs --replay', $name)
        if defined($opts->{node})
        && !defined($opts->{replay})
        && $command->{input} ne 'cluster'
        && $name ne 'candidates';

    return $command->{code}->(source($command->{input}, $opts->{replay}), $opts, @args);
}

sub main(@args) {
    local $SIG{__WARN__} = sub($text) {
        my $line = one_line(characters($text));
        print STDERR encoded("warning: $line\n");
    };

    my $exit_code = eval { dispatch(@args) };
    if (!defined($exit_code)) {
        # it may be an object
        my $err = "$@";
        chomp $err;
        my @lines = map { safe(characters($_)) } split(/\n/, $err);
        @lines = ('unknown error') if !@lines;
        print STDERR encoded(join("\n", 'error: ' . shift(@lines), @lines) . "\n");
        $exit_code = $EXIT_ERROR;
    }

    # a full disk must not look like a healthy cluster
    if (!close(STDOUT)) {
        print STDERR "error: cannot write the output - $!\n";
        $exit_code = $EXIT_ERROR;
    }
    return $exit_code;
}

1;
