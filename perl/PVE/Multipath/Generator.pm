package PVE::Multipath::Generator;

=head1 NAME

PVE::Multipath::Generator - bring a node in line with the cluster's configuration

=head1 DESCRIPTION

What is to be done is decided in the library behind C<PVE::RS::Multipath::Plan>; the functions here
look at the node and carry it out. Whatever kills them, and whenever, the next pass ends where an
undisturbed one would have.

=over

=item plan($cfg, $overrides, $node)

What applying would do, C<< { configured, 'drop-ins', wwids, 'taken-aliases', 'record-unreadable',
unconfirmed, reconfigure, uneven, 'held-back', changes, errors } >>, each drop-in, WWID and alias with
C<reason>, the first two with C<action>. The configuration is a parsed one, or its text as bytes, and is
taken as one that is saved. C<$node> is a L<PVE::Multipath::Node>, by default the local one.

=item diff($step, $node)

The difference that a drop-in's step would make, as C<diff -u> prints it; undef if the texts are too
long to compare.

=item regenerate($cfg, $overrides, %options)

Applies the configuration as it is given, and gives 1 if that changed anything, else 0. A step that
fails does not stop the others; then it dies in the end with all the reasons, one a line. Options:
C<timeout> is how many seconds to wait for another pass, C<progress> is called with a text at each step
of those that take long, C<limit> is after how many seconds to leave further WWIDs to the next pass. If
another pass is still at work after the time-out, it dies; with a time-out of 0, nothing is done then.

=item apply(%options)

Applies the cluster's present configuration, with the same options and the same result. Before anything
is taken away, it waits until the files have been the same for two seconds: an editor may be in the
middle of saving them.

=item drift($cfg, $overrides, $node)

The configured values that another file keeps from being in force, by what multipathd says: sentences as
C<defaults: KNOB is VALUE, not VALUE>, each on a line.

=item sync()

A pass with the cluster's present configuration, for daemons: never dies, tells the cluster how it
went, and costs little where there is nothing to do. If the configuration cannot be read, nothing is
changed. What would be taken away is left to a later pass, until two of them have read the same, two
seconds apart: so each process that calls this first only adds.

A pass that another one keeps from working tells nothing, nor does one that succeeds, but leaves something
to the next pass.

=back

=cut

use v5.36;

use Time::HiRes ();

use PVE::Multipath;
use PVE::Multipath::Clock qw(monotonic);
use PVE::Multipath::Command;
use PVE::Multipath::Config;
use PVE::Multipath::File;
use PVE::Multipath::Node;
use PVE::Multipath::Source;
use PVE::Multipath::State;
use PVE::Multipath::Text qw(one_line);
use PVE::Multipath::WwidsFile;
use PVE::RS::Multipath::Cluster;
use PVE::RS::Multipath::Plan;

# A pass that adds a thousand LUNs takes a while.
our $LOCK_TIMEOUT = 60;

# A daemon has other things to do, so it adds many WWIDs in several passes.
our $TIME_LIMIT = 5;

# How many WWIDs are marked in the record at once. If a pass is killed, an entry that an administrator
# then adds by hand for one of these is taken for ours, so they are not many.
our $RECORD_AT_ONCE = 50;

# How long a person waits for files that somebody keeps changing, in seconds.
our $SETTLE_TIMEOUT = 30;

# --- what the cluster wants ---

# A configuration that is given, as it is: { config, overrides, certainty }.
my sub given($cfg, $overrides) {
    return { config => $cfg, overrides => $overrides // '', certainty => {} };
}

# The configuration that the cluster has now, with how certain it is that this is all of it.
my sub read_cluster() {
    my $source = PVE::Multipath::Source->files();
    my $readings = PVE::Multipath::State::current()->{readings};
    my $cluster = { config => $source->config_text(), overrides => $source->overrides_text() };
    for my $file (qw(config overrides)) {
        my $read =
            PVE::RS::Multipath::Plan::reading($cluster->{$file}, $readings->{$file}, monotonic());
        ($readings->{$file}, $cluster->{certainty}->{$file}) = $read->@{qw(reading certainty)};
    }
    return $cluster;
}

# --- what the node has ---

# Something was changed since multipathd has read its configuration. It reads it at boot anyway.
my sub reconfigure_marker($node) {
    return "$node->{'run-dir'}/reconfigure";
}

my sub drop_in_path($node, $file) {
    return "$node->{'drop-in-dir'}/$file";
}

# undef if there is none
my sub content($path) {
    my $text = eval { PVE::Multipath::File::read($path) };
    return { error => $@ =~ s/\n\z//r } if $@;
    return defined($text) ? { text => $text } : undef;
}

my sub present($node) {
    my $drop_ins = PVE::RS::Multipath::Plan::drop_ins();
    return {
        'drop-ins' => { map { $_ => content(drop_in_path($node, $_)) } @$drop_ins },
        wwids => content($node->{'wwids-file'}),
        record => content($node->{'record-file'}),
        devices => { mapped => $node->mapped() },
        'tools-version' => $node->tools_version(),
        'reconfigure-due' => -e reconfigure_marker($node) ? 1 : 0,
    };
}

# Reasons are told one a line, so each is one.
my sub assert_success($command, $reply) {
    return if ($reply->{'exit-code'} // -1) == 0;
    my $why = one_line($reply->{stderr});
    die "'$command' failed: " . (length($why) ? $why : 'no answer') . "\n";
}

# What the library asks for where something depends on it. The last needs a process.
my $answers = {
    disks => sub($node, $present) { $present->{devices} = $node->devices() },
    usage => sub($node, $present) {
        my $text = eval {
            my $reply = $node->open_counts();
            assert_success('dmsetup info', $reply);
            $reply->{stdout};
        };
        $present->{'open-counts'} = $@ ? { error => $@ =~ s/\n\z//r } : { text => $text };
    },
};

my sub make_plan($cluster, $present) {
    my ($config, $overrides, $certainty) = $cluster->@{qw(config overrides certainty)};
    return PVE::RS::Multipath::Plan::plan($config, $overrides, $certainty, $present)
        if ref($config);
    return PVE::RS::Multipath::Plan::plan_text($config, $overrides, $certainty, $present);
}

# What a plan follows from; undef if that cannot be told.
my sub basis($cluster, $present) {
    return undef if ref($cluster->{config}) || $present->{'reconfigure-due'};
    my $drop_ins = $present->{'drop-ins'};
    my @files = ((map { $drop_ins->{$_} } sort keys %$drop_ins), $present->@{qw(wwids record)});
    return undef if grep { $_ && defined($_->{error}) } @files;

    my $mapped = $present->{devices}->{mapped};
    my @texts = (
        $cluster->@{qw(config overrides)},
        $present->{'tools-version'},
        (map { $_ && $_->{text} } @files),
        (map { ($_, $mapped->{$_}->@{qw(name uuid)}) } sort keys %$mapped),
    );
    return join('', map { defined($_) ? length($_) . ":$_" : '-' } @texts);
}

my sub is_idle($plan) {
    return !$plan->{changes} && !$plan->{unconfirmed} && !$plan->{errors}->@* && !$plan->{wwids}->@*;
}

# The plan, and what it is based on. A daemon asks again and again, mostly with nothing to do.
my sub look($cluster, $node) {
    my $present = present($node);
    my $basis = basis($cluster, $present);
    my $idle = PVE::Multipath::State::current()->{idle};
    return ($idle->{plan}, $present) if defined($basis) && $basis eq $idle->{basis};

    my $plan = make_plan($cluster, $present);
    while (my $questions = $plan->{questions}) {
        $answers->{$_}->($node, $present) for @$questions;
        $plan = make_plan($cluster, $present);
    }
    $idle->@{qw(basis plan)} = ($basis, $plan) if defined($basis) && is_idle($plan);
    return ($plan, $present);
}

sub plan($cfg, $overrides = undef, $node = PVE::Multipath::Node->live()) {
    my ($plan) = look(given($cfg, $overrides), $node);
    return $plan;
}

sub diff($step, $node = PVE::Multipath::Node->live()) {
    my $old = content(drop_in_path($node, $step->{file}));
    return PVE::RS::Multipath::Plan::diff($step->{file}, $old && $old->{text}, $step->{text});
}

# --- changing it ---

my sub replace($path, $bytes) {
    PVE::Multipath::File::make_directory($path =~ s!/[^/]*\z!!r);
    PVE::Multipath::File::replace($path, $bytes);
    return;
}

# Runs the code; if it fails, that is noted. Tells whether it succeeded.
my sub attempt($errors, $code) {
    return 1 if eval { $code->(); 1 };
    push @$errors, $@ =~ s/\n\z//r;
    return 0;
}

# Runs the code for each step; one that fails does not stop the others. Gives how many succeeded.
my sub each_step($errors, $steps, $code, $in_time = sub() { 1 }) {
    my $done = 0;
    for my $step (@$steps) {
        last if !$in_time->();
        $done += attempt($errors, sub() { $code->($step) });
    }
    return $done;
}

my sub apply_drop_ins($plan, $node, $errors) {
    my @steps = grep { $_->{action} ne 'keep' } $plan->{'drop-ins'}->@*;
    return each_step($errors, \@steps, sub($step) {
        my $path = drop_in_path($node, $step->{file});
        return replace($path, $step->{text}) if $step->{action} eq 'write';
        return PVE::Multipath::File::remove($path);
    });
}

# The record is written before an entry is added, so that it is known as ours even if this process is
# killed right after. One write marks several entries: the record of a thousand would otherwise be
# written a thousand times. Returns how many WWIDs were changed, and whether some were left to the next
# pass.
my sub apply_wwids($plan, $present, $node, $errors, %options) {
    my $record = $present->{record} ? $present->{record}->{text} : undef;
    my %noted;
    my $note = sub(%changes) {
        %noted = (%noted, %changes);
        # multipath leaves that to the kernel, so a power failure may undo what the record says. With
        # the record, the file's new size would get to the disk, and zeros instead of its last entries.
        PVE::Multipath::File::sync($node->{'wwids-file'}) if -e $node->{'wwids-file'};
        return if $plan->{'record-unreadable'} || !%noted;
        my $text = PVE::RS::Multipath::Plan::record($record, \%noted);
        if (!defined($text)) {
            PVE::Multipath::File::remove($node->{'record-file'});
        } elsif ($text ne ($record // '')) {
            replace($node->{'record-file'}, $text);
        }
        ($record, %noted) = ($text);
    };

    my %wwids = map { $_ => [] } qw(add remove confirm drop keep);
    push $wwids{ $_->{action} }->@*, $_->{wwid} for $plan->{wwids}->@*;
    %noted = ((map { $_ => 'added' } $wwids{confirm}->@*), (map { $_ => undef } $wwids{drop}->@*));

    my ($count, $all) = (0, $wwids{add}->@* + $wwids{remove}->@*);
    my $tell = sub($what) { $options{progress}->("$what (" . ++$count . " of $all)") };
    my $deadline = defined($options{limit}) ? monotonic() + $options{limit} : undef;
    my $late = 0;
    my $in_time = sub() { !($late ||= defined($deadline) && monotonic() >= $deadline) };

    my $wwids_file = PVE::Multipath::WwidsFile->new($node->{'wwids-file'});
    my $done = 0;
    while ($wwids{add}->@* && $in_time->()) {
        my @batch = splice($wwids{add}->@*, 0, $RECORD_AT_ONCE);
        if (!attempt($errors, sub() { $note->(map { $_ => 'adding' } @batch) })) {
            delete @noted{@batch};
            last;
        }

        my %left = map { $_ => undef } @batch;
        $done += each_step($errors, \@batch, sub($wwid) {
            delete $left{$wwid};
            $tell->("adding $wwid");
            # another program added it first, so the record does not claim it
            return $note->($wwid => undef) if $wwids_file->lists($wwid);

            my $added = eval { PVE::Multipath::add_wwid($wwid); 1 };
            my $err = $@;
            $wwids_file->expect_appended($wwid);
            $noted{$wwid} = $wwids_file->lists($wwid) ? 'added' : undef;
            die $err if !$added;
            die "'multipath -a $wwid' succeeded, but '$node->{'wwids-file'}' does not have it\n"
                if !defined($noted{$wwid});
        }, $in_time);
        %noted = (%noted, %left);
    }
    $done += each_step($errors, $wwids{remove}, sub($wwid) {
        $tell->("removing $wwid");
        PVE::Multipath::remove_wwid($wwid);
        $noted{$wwid} = undef;
    }, $in_time);
    attempt($errors, $note);

    return ($done, $late);
}

# A daemon that is stopped reads everything when it starts. One that hangs may go on as it was.
my sub reconfigure($marker) {
    my $state = PVE::Multipath::daemon_state();
    die "multipathd does not answer, so it does not know of the changes yet\n"
        if $state eq 'no-answer';
    PVE::Multipath::reconfigure() if $state eq 'running';
    PVE::Multipath::File::remove($marker);
    return;
}

# For LUNs that are allow-listed while multipathd must not read its configuration. It may refuse: a
# reconfigure would make no map of such a LUN either.
my sub add_maps($wwids, %options) {
    return if !@$wwids || !PVE::Multipath::is_running();
    my $deadline = defined($options{limit}) ? monotonic() + $options{limit} : undef;
    for my $wwid (@$wwids) {
        last if defined($deadline) && monotonic() >= $deadline;
        $options{progress}->("making the map of $wwid");
        my $reply = PVE::Multipath::Command::run(
            [$PVE::Multipath::Node::MULTIPATHD, 'add', 'map', $wwid],
            timeout => $PVE::Multipath::COMMAND_TIMEOUT,
        );
        die "'multipathd add map $wwid' did not end in time\n" if $reply->{'timed-out'};
    }
    return;
}

# Gives whether anything was changed, and whether something is left to the next pass.
my sub carry_out($cluster, $plan, $present, $node, %options) {
    my $errors = $plan->{errors};
    my $marker = reconfigure_marker($node);
    my $due = $present->{'reconfigure-due'};

    # before anything is changed: whoever comes after a kill knows nothing else of it
    attempt($errors, sub() { replace($marker, '') }) if $plan->{reconfigure} && !$due;

    my $changed = apply_drop_ins($plan, $node, $errors);
    my ($done, $late) = apply_wwids($plan, $present, $node, $errors, %options);
    $changed += $done;

    # reading everything again stalls multipathd, so not for a step that fails again and again
    if ($changed || $due) {
        # that may have taken long enough for paths to get another size
        my ($now) = look($cluster, $node);
        $plan->{'held-back'} = $now->{'held-back'};
        if (defined($plan->{'held-back'})) {
            attempt($errors, sub() { add_maps($now->{'maps-to-add'} // [], %options) });
        } else {
            $options{progress}->('reconfiguring multipathd');
            attempt($errors, sub() { reconfigure($marker) });
            $changed = 1;
        }
    } elsif ($plan->{reconfigure}) {
        attempt($errors, sub() { PVE::Multipath::File::remove($marker) });
    }
    return ($changed ? 1 : 0, $late);
}

# A pass. The code gives what the cluster wants; it is called again once nobody else is at work. Gives
# { changed, complete }: whether anything was changed, and whether all was done that there was to do. Dies
# with what an administrator has to see to.
my sub pass($read, %options) {
    my $node = PVE::Multipath::Node->live();
    $options{progress} //= sub($) { };

    my ($plan, $present) = look($read->(), $node);
    my ($changed, $late) = (0, 0);
    if ($plan->{changes}) {
        PVE::Multipath::assert_supported();
        PVE::Multipath::File::make_directory($node->{'run-dir'});
        my $alone = 0;
        PVE::Multipath::File::locked("$node->{'run-dir'}/lock", sub() {
            $alone = 1;
            # somebody may have done it in the meantime, or want something else by now
            my $cluster = $read->();
            ($plan, $present) = look($cluster, $node);
            PVE::Multipath::File::remove_unfinished(
                reconfigure_marker($node),
                $node->{'record-file'},
                map { drop_in_path($node, $_) } PVE::RS::Multipath::Plan::drop_ins()->@*,
            );
            ($changed, $late) = carry_out($cluster, $plan, $present, $node, %options)
                if $plan->{changes};
        }, $options{timeout} // $LOCK_TIMEOUT);
        return { changed => 0, complete => 0 } if !$alone;
    }
    my @errors = ($plan->{errors}->@*, $plan->{'held-back'} // ());
    die join('', map { "$_\n" } @errors) if @errors;
    return { changed => $changed, complete => !$late && !$plan->{unconfirmed} };
}

sub regenerate($cfg, $overrides = undef, %options) {
    return pass(sub() { given($cfg, $overrides) }, %options)->{changed};
}

sub apply(%options) {
    my $node = PVE::Multipath::Node->live();
    my $deadline = monotonic() + $SETTLE_TIMEOUT;
    my ($changed, $told) = (0, 0);
    while (1) {
        my ($plan) = look(read_cluster(), $node);
        if (!$plan->{unconfirmed}) {
            my $res = pass(\&read_cluster, %options);
            $changed ||= $res->{changed};
            return $changed if $res->{complete};
        }
        die "the cluster's configuration does not stop changing: nothing is taken away\n"
            if monotonic() >= $deadline;
        $options{progress}->('waiting until it is sure that nobody is saving the configuration')
            if $options{progress} && !$told++;
        Time::HiRes::sleep(0.5);
    }
}

sub drift($cfg, $overrides = undef, $node = PVE::Multipath::Node->live()) {
    my $reply = $node->query([qw(show config local)]);
    assert_success('multipathd show config local', $reply);
    my $version = $node->tools_version();
    my $drift =
        PVE::Multipath::Config::drift($cfg, $reply->{stdout}, $version, $overrides // '');
    my ($plan) = look(given($cfg, $overrides), $node);
    my %without_alias = map { $_->{wwid} => 1 } $plan->{'taken-aliases'}->@*;
    return map {
        my $where = $_->{wwid} // 'defaults';
        my $found = $_->{found} // 'not set';
        one_line("$where: $_->{knob} is $found, not $_->{wanted}");
    } grep { $_->{knob} ne 'alias' || !$without_alias{ $_->{wwid} } } @$drift;
}

# --- for daemons ---

my sub tell($error) {
    my $state = PVE::Multipath::State::current();
    warn "cannot apply the multipath configuration: $error"
        if defined($error) && $error ne $state->{'apply-error'};
    $state->{'apply-error'} = $error // '';
    PVE::Multipath::refresh_apply_status($error);
    return;
}

my sub quietly($code) {
    local $SIG{__WARN__} = sub { };
    return $code->();
}

# The daemon has had the time between two passes to read what was changed.
my sub prove($config, $overrides) {
    my $state = PVE::Multipath::State::current();
    my $applied = $state->{unverified} // return;
    $state->{unverified} = undef;
    return if $applied ne "$config\0$overrides" || !PVE::Multipath::is_running();

    my $cfg =
        quietly(sub() { PVE::Multipath::Config->parse_config('multipath.cfg', $config) });
    return drift($cfg, $overrides);
}

# Where nobody can say which storages there are, every node is meant.
my sub should_carry_luns($config) {
    my $wwids = quietly(sub() {
        PVE::Multipath::Config::wwid_list(
            PVE::Multipath::Config->parse_config('multipath.cfg', $config),
        );
    });
    my ($expected) = eval {
        my $source = PVE::Multipath::Source->live();
        PVE::RS::Multipath::Cluster::expects_any(
            $source->storage_ids(), $source->nodelist(), $source->nodename(), $wwids,
        );
    };
    return $@ ? scalar(@$wwids) : $expected;
}

# Whether everything is in order afterwards. Dies with what is not.
my sub daemon_pass() {
    my $cluster = read_cluster();
    my ($config, $overrides) = $cluster->@{qw(config overrides)};

    if (!PVE::Multipath::is_supported()) {
        PVE::Multipath::assert_supported() if should_carry_luns($config);
        return $cluster->{certainty}->{config} eq 'settled';
    }
    # a daemon that does not answer now is no reason to apply nothing
    my @lost = eval { prove($config, $overrides) };
    warn "cannot tell whether the multipath configuration is in force: $@" if $@;
    warn "another file of multipathd's configuration wins: $_\n" for @lost;

    my $read = sub() { return $cluster = read_cluster() };
    my $res = pass($read, timeout => 0, limit => $TIME_LIMIT);
    PVE::Multipath::State::current()->{unverified} = "$cluster->{config}\0$cluster->{overrides}"
        if $res->{changed} && $res->{complete};
    return $res->{complete};
}

# What a pass that was not complete would tell, nobody knows: what was told before stands.
sub sync() {
    eval {
        my $complete = eval { daemon_pass() };
        my $error = $@;
        tell(length($error) ? "$error" : undef) if length($error) || $complete;
    };
    warn $@ if $@;
    return;
}

1;
